"""Warming: what to do so that a new or restarted cache is not empty when the traffic comes.

    cold:     start --> traffic                       every first read is a query
    warmed:   start --> one query for the most wanted --> set_many --> traffic
    kept:     -e file on a tmpfs, SIGUSR1 --> start   the items are still there

The server keeps its items itself over a planned restart (`-e`, docs/operations.md); a query warms it after a crash.
"""

import os
import signal
import tempfile
import time

from cache_aside import product
from cache import PAUSE_SECONDS
from stage import PRODUCTS, Stage, Tally, check, say

READS = 1500
WARM_COUNT = PRODUCTS // 2
TTL_SECONDS = 600


def warm(cache, database, count):
    """One query for what is asked for most, one batch of stores. Here low numbers are popular; an application would take the
    views of yesterday."""
    rows = database.rows("SELECT number, name, cents FROM product ORDER BY number LIMIT %s", count)
    cache.set_many({f"product:{number}": {"name": name, "cents": cents} for number, name, cents in rows}, TTL_SECONDS)


def reads(stage, cache, database):
    tally = Tally(plain=READS)
    before = database.queries
    for number in stage.wanted(READS):
        _, hit = product(cache, database, number)
        tally.reads += 1
        tally.hits += hit
    tally.queries = database.queries - before
    return tally


def restart(stage, number):
    stage.server.end(number)
    stage.server.start()
    time.sleep(PAUSE_SECONDS)


def main(stage):
    cache, database = stage.cache(), stage.database()
    cold = say("after a start, cold", reads(stage, cache, database))
    restart(stage, signal.SIGKILL)
    before = database.queries
    warm(cache, database, WARM_COUNT)
    print(f"warming {WARM_COUNT} products took {database.queries - before} query")
    warmed = say("after a start, warmed", reads(stage, cache, database))
    restart(stage, signal.SIGUSR1)
    kept = say("after SIGUSR1 and a start with the same -e", reads(stage, cache, database))
    stage.server.end()
    stopped = say("the cache is stopped", reads(stage, cache, database))
    check(warmed.hit_rate > cold.hit_rate + 0.05, "a warmed cache hits more from the first request on")
    check(kept.hit_rate > warmed.hit_rate, "with -e nothing was lost, and no query was needed")
    check(stopped.queries == READS, "without its cache the application asks the database")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        with Stage(["-m", "64", "-e", os.path.join(folder, "items")]) as stage:
            main(stage)
