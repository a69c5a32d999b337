"""Cache-aside: the application asks the cache first, and the database for what is not there.

    read:  cache --hit--> answer
             '--miss--> database --> cache (with a time to live) --> answer

The most common pattern. The cache may vanish at any time: every answer can be had from the database.
"""

import random

from stage import Stage, Tally, check

READS = 3000
TTL_SECONDS = 60


def product(cache, database, number):
    """The product, and whether it came from the cache."""
    key = f"product:{number}"
    found = cache.get(key)
    if found is not None:
        return found, True
    name, cents = database.row("SELECT name, cents FROM product WHERE number = %s", number)
    fresh = {"name": name, "cents": cents}
    # A random part: what was stored together does not expire together.
    cache.set(key, fresh, TTL_SECONDS + random.randrange(TTL_SECONDS // 4))
    return fresh, False


def main(stage):
    cache, database = stage.cache(), stage.database()

    def act():
        tally = Tally(plain=READS)
        before = database.queries
        for number in stage.wanted(READS):
            answer, hit = product(cache, database, number)
            assert answer == {"name": f"product {number}", "cents": number * 10}
            tally.reads += 1
            tally.hits += hit
        tally.queries = database.queries - before
        return tally

    works, stopped, back = stage.acts(act)
    check(works.hit_rate > 0.8, "more than four of five reads need no database")
    check(stopped.queries == READS, "without its cache the application asks the database, and every answer is right")
    check(back.hit_rate > 0.8, "the cache fills itself again")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
