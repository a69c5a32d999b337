"""Negative caching: that something is not there is worth remembering, too.

    read:    cache --value--> answer
               |---"absent"--> not found, without a query
               '---miss--> database --> cache (the row for long, "absent" for seconds)
    create:  INSERT --> cache delete      so that the new row is seen at once

Robots, old links and lookups such as "is there a coupon for this user?" ask for what does not exist, and each time the database
says so anew. The time to live of "absent" is short: made-up keys should not fill the memory.
"""

from stage import PRODUCTS, Stage, Tally, check

READS = 2000
TTL_SECONDS = 60
ABSENT_SECONDS = 5
ABSENT = {"absent": True}


def product(cache, database, number, remember_absent=True):
    """The product or None, and whether the cache knew."""
    key = f"product:{number}"
    found = cache.get(key)
    if found is not None:
        return (None if found == ABSENT else found), True
    row = database.row("SELECT name FROM product WHERE number = %s", number)
    if row is None:
        if remember_absent:
            cache.set(key, ABSENT, ABSENT_SECONDS)
        return None, False
    fresh = {"name": row[0]}
    cache.set(key, fresh, TTL_SECONDS)
    return fresh, False


def create(cache, database, number):
    database.run("INSERT INTO product VALUES (%s, %s, 0)", number, f"product {number}")
    cache.delete(f"product:{number}")


def main(stage):
    cache, database = stage.cache(), stage.database()

    def act(remember_absent=True):
        tally = Tally(plain=READS)
        before = database.queries
        # Every other visitor follows an old link: to a product that is no longer there.
        for turn, number in enumerate(stage.wanted(READS)):
            asked = number + PRODUCTS * (turn % 2)
            found, hit = product(cache, database, asked, remember_absent)
            assert (found is None) == (asked > PRODUCTS), f"a wrong answer for {asked}"
            tally.reads += 1
            tally.hits += hit
        tally.queries = database.queries - before
        return tally

    forgetful = act(remember_absent=False)
    print(f"absence is not remembered: {forgetful}")
    works, stopped, back = stage.acts(act)
    check(forgetful.hit_rate < 0.5, "without it every second read is a query")
    check(works.hit_rate > 0.75, "with it most reads need none")
    check(stopped.queries == READS, "without its cache the application asks the database")
    check(back.hit_rate > 0.6, "and goes back to the cache")
    number = PRODUCTS * 3
    product(cache, database, number)
    create(cache, database, number)
    found, _ = product(cache, database, number)
    check(found == {"name": f"product {number}"}, "what is created is seen at once, since its key is deleted")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
