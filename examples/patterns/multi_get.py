"""Multi-get: a page with 40 products is one request to the cache, and at most one query.

    page:  cache get k1 k2 ... k40 --> misses --> one query (= ANY) --> cache set_many

A round trip in a network takes much longer than a lookup. `get_many` and `set_many` send all keys at once; so should the query.
"""

import time

from stage import PRODUCTS, Stage, Tally, check

PAGES = 200
PRODUCTS_OF_A_PAGE = 40
TTL_SECONDS = 60


def names(cache, database, numbers):
    """The names by number, and how many came from the cache."""
    found = cache.get_many([f"name:{number}" for number in numbers])
    by_number = {int(key.split(":")[1]): name for key, name in found.items()}
    hits = len(by_number)
    missing = [number for number in numbers if number not in by_number]
    if missing:
        fresh = dict(database.rows("SELECT number, name FROM product WHERE number = ANY(%s)", missing))
        cache.set_many({f"name:{number}": name for number, name in fresh.items()}, TTL_SECONDS)
        by_number.update(fresh)
    return by_number, hits


def one_by_one(cache, numbers):
    return {number: cache.get(f"name:{number}") for number in numbers}


def seconds_of(read):
    begun = time.monotonic()
    for _ in range(20):
        read()
    return (time.monotonic() - begun) / 20


def main(stage):
    cache, database = stage.cache(), stage.database()

    def act():
        tally = Tally(plain=PAGES * PRODUCTS_OF_A_PAGE)
        before = database.queries
        for _ in range(PAGES):
            numbers = stage.random.sample(range(1, PRODUCTS + 1), PRODUCTS_OF_A_PAGE)
            by_number, hits = names(cache, database, numbers)
            assert by_number == {number: f"product {number}" for number in numbers}
            tally.reads += PRODUCTS_OF_A_PAGE
            tally.hits += hits
        tally.queries = database.queries - before
        return tally

    works, stopped, back = stage.acts(act)
    check(works.queries < PAGES, "a query for a page at most, and for most pages none")
    check(stopped.queries == PAGES, "without the cache it is one query for a page, not forty")
    check(back.hit_rate > 0.8, "and the cache fills itself again")
    numbers = list(range(1, PRODUCTS_OF_A_PAGE + 1))
    names(cache, database, numbers)
    together, alone = seconds_of(lambda: names(cache, database, numbers)), seconds_of(lambda: one_by_one(cache, numbers))
    print(f"{PRODUCTS_OF_A_PAGE} keys: {together * 1e3:.2f} ms at once, {alone * 1e3:.2f} ms one by one, without any network between")
    check(together < alone, "one request is faster than forty")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
