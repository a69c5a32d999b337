"""Invalidation on update: a write deletes the key, and the next read brings the new row. Two ways in which that goes wrong.

    write:  UPDATE, COMMIT --> cache delete
    read:   cache gets --miss--> add a place holder --> gets (its cas unique) --> database --> cas

1. A reader has read the old row, a writer updates and deletes, and then the reader stores the old row: it stays until it
   expires. With a place holder and `cas` the reader's store fails, since the delete has taken the place holder away.
2. The delete is not sent, because the server did not answer just now, and it comes back with what it had. Deletes that failed are
   kept and sent as soon as it answers; until then this process does not read the cache, but others might: the time to live is
   what bounds it for them.
"""

import time

from cache import PAUSE_SECONDS
from stage import Stage, Tally, check

READS = 2000
TTL_SECONDS = 300
PLACE_HOLDER = {"pending": True}
PLACE_HOLDER_SECONDS = 5


def key_of(number):
    return f"product:{number}"


def from_database(database, number):
    (cents,) = database.row("SELECT cents FROM product WHERE number = %s", number)
    return {"cents": cents}


def careless_read(cache, database, number, meanwhile=lambda: None):
    """Cache-aside as it is mostly written."""
    found = cache.get(key_of(number))
    if found is None:
        found = from_database(database, number)
        meanwhile()
        cache.set(key_of(number), found, TTL_SECONDS)
    return found


def careful_read(cache, database, number, meanwhile=lambda: None):
    """The product, and whether it came from the cache. Stores only if nobody has deleted the key since it began."""
    key = key_of(number)
    found = cache.get(key)
    if found is not None and found != PLACE_HOLDER:
        return found, True
    if found is None:
        cache.add(key, PLACE_HOLDER, PLACE_HOLDER_SECONDS)
    held, unique = cache.gets(key)
    fresh = from_database(database, number)
    meanwhile()
    if held == PLACE_HOLDER:
        cache.cas(key, fresh, unique, TTL_SECONDS)
    return fresh, False


class Writer:
    """Updates rows and deletes their keys; remembers deletes that could not be sent."""

    def __init__(self, cache, database):
        self.cache = cache
        self.database = database
        self.unsent = set()

    def set_price(self, number, cents):
        self.database.run("UPDATE product SET cents = %s WHERE number = %s", cents, number)
        self.invalidate(number)

    def invalidate(self, number):
        if self.cache.delete(key_of(number)) is None:
            self.unsent.add(number)

    def send_unsent(self):
        waiting, self.unsent = self.unsent, set()
        for number in waiting:
            self.invalidate(number)


def show_race(cache, database, writer):
    careless_read(cache, database, 7, meanwhile=lambda: writer.set_price(7, 1111))
    stale = careless_read(cache, database, 7)
    print(f"get, then set: the price is 1111, and the cache says {stale['cents']}")
    check(stale["cents"] == 70, "a reader that comes late keeps the old price in the cache for all of its time to live")
    writer.invalidate(7)
    careful_read(cache, database, 8, meanwhile=lambda: writer.set_price(8, 2222))
    fresh, _ = careful_read(cache, database, 8)
    print(f"place holder and cas: the price is 2222, and the cache says {fresh['cents']}")
    check(fresh["cents"] == 2222, "the late store was refused")


def show_freeze(stage, cache, database, writer):
    careful_read(cache, database, 9)
    stage.server.freeze()
    # The first who asks finds out; after that the client leaves the server alone for a while.
    careful_read(cache, database, 9)
    writer.set_price(9, 3333)
    waiting = len(writer.unsent)
    stage.server.thaw()
    time.sleep(PAUSE_SECONDS)
    stale, _ = careful_read(cache, database, 9)
    writer.send_unsent()
    fresh, _ = careful_read(cache, database, 9)
    print(f"the server hangs during an update: {waiting} delete kept; the cache says {stale['cents']}, then {fresh['cents']}")
    check(waiting == 1 and stale["cents"] == 90, "a server that comes back has what it had")
    check(fresh["cents"] == 3333 and not writer.unsent, "the delete that was kept has mended it")


def main(stage):
    cache, database = stage.cache(), stage.database()
    writer = Writer(cache, stage.database())
    show_race(cache, database, writer)
    show_freeze(stage, cache, database, writer)
    prices = dict(database.rows("SELECT number, cents FROM product"))

    def act():
        tally = Tally(plain=READS)
        before = database.queries
        for turn, number in enumerate(stage.wanted(READS)):
            if turn % 20 == 0:
                prices[number] += 1
                writer.set_price(number, prices[number])
            found, hit = careful_read(cache, database, number)
            assert found["cents"] == prices[number], f"product {number} is stale"
            tally.reads += 1
            tally.hits += hit
        tally.queries = database.queries - before
        return tally

    works, stopped, back = stage.acts(act)
    check(works.hit_rate > 0.6, "one write for twenty reads, most reads hit, and none was stale")
    check(stopped.queries == READS, "without its cache the application asks the database")
    check(back.hit_rate > 0.6, "and goes back to the cache")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
