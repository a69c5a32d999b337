"""Write-through: each write goes to the database and, before it is visible there, to the cache.

    write:  BEGIN, UPDATE (takes the row's lock) --> cache set --> COMMIT
    read:   cache --miss--> database --> cache add (not set)

Reads nearly always hit, even right after a write. Two races make caches wrong for ever, and both are closed here:
* two writers: the row's lock orders them, and each sets the cache while it holds the lock;
* a reader that brings an old row late: it uses `add`, which never replaces what a writer has set.

If the transaction is rolled back, the key is deleted. Until then readers may have seen a price that never came to be, and if
the process dies between the two, the cache has it until it expires: the time to live bounds for how long.
"""

import threading

from stage import Stage, Tally, check

READS = 1500
WRITERS = 6
WRITES = 40
TTL_SECONDS = 60


def set_price(cache, database, number, cents, confirm=lambda: None):
    """Sets a price, unless `confirm` raises."""
    key = f"price:{number}"
    try:
        with database.connection.transaction():
            database.run("UPDATE product SET cents = %s WHERE number = %s", cents, number)
            cache.set(key, cents, TTL_SECONDS)
            confirm()
    except Exception:
        cache.delete(key)
        raise


def price(cache, database, number):
    """The price, and whether it came from the cache."""
    key = f"price:{number}"
    cents = cache.get(key)
    if cents is not None:
        return cents, True
    (cents,) = database.row("SELECT cents FROM product WHERE number = %s", number)
    cache.add(key, cents, TTL_SECONDS)
    return cents, False


def write_at_once(stage, cache, products):
    """Several writers change the same few prices."""

    def writer(mine):
        database = stage.database()
        for turn in range(WRITES):
            set_price(cache, database, products[turn % len(products)], mine * 1000 + turn)

    threads = [threading.Thread(target=writer, args=(mine,)) for mine in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def refuse():
    raise RuntimeError("the change of price is refused, and rolled back")


def main(stage):
    cache, database = stage.cache(), stage.database()
    contested = [1, 2, 3]

    def act():
        tally = Tally(plain=READS)
        write_at_once(stage, cache, contested)
        before = database.queries
        for number in stage.wanted(READS):
            _, hit = price(cache, database, number)
            tally.reads += 1
            tally.hits += hit
        tally.queries = database.queries - before
        for number in contested:
            cents, _ = price(cache, database, number)
            (truth,) = database.row("SELECT cents FROM product WHERE number = %s", number)
            assert cents == truth, f"product {number}: cache {cents}, database {truth}"
        return tally

    works, stopped, back = stage.acts(act)
    check(works.hit_rate > 0.6, "reads hit")
    check(stopped.queries == READS, "without its cache the application writes and reads the database alone")
    check(back.hit_rate > 0.6, "and goes back to the cache")
    try:
        set_price(cache, database, 1, 77, confirm=refuse)
    except RuntimeError as error:
        print(error)
    cents, _ = price(cache, database, 1)
    check(cents != 77, "what was rolled back is not in the cache")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
