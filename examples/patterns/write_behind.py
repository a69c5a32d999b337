"""Write-behind: writes go to the cache, and to the database later, many as one. What is lost, and when.

    view:   cache incr                                   (every visit)
    flush:  cache get n --> UPDATE views + n --> cache decr n      (every so often)

Good for counters that may be a little wrong: views, likes, the time of the last visit. A cache keeps nothing for sure, so what
was acknowledged and not yet flushed is lost when the server stops, and when memory is full and the item is evicted. This
program shows both. What must not be lost is written through.
"""

from stage import Stage, Tally, check

VIEWS = 2000
FLUSH_EVERY = 250
TTL_SECONDS = 3600


def view(cache, database, number):
    """Counts a visit. False: the cache could not be had, and the database counts it itself."""
    key = f"views:{number}"
    if cache.incr(key) is not None or cache.add(key, 1, TTL_SECONDS) or cache.incr(key) is not None:
        return True
    database.run("UPDATE product SET views = views + 1 WHERE number = %s", number)
    return False


def flush(cache, database, numbers):
    """Moves what has been counted to the database: one statement for all."""
    counted = cache.get_many([f"views:{number}" for number in numbers])
    moved = [(int(key.split(":")[1]), count) for key, count in counted.items() if count]
    if not moved:
        return
    database.run(
        "UPDATE product SET views = views + moved.n FROM unnest(%s::int[], %s::bigint[]) AS moved (number, n) "
        "WHERE product.number = moved.number",
        [number for number, _ in moved],
        [count for _, count in moved],
    )
    for number, count in moved:
        # Not `set 0`: visits since the get stay counted.
        cache.decr(f"views:{number}", count)


def counted_in(database):
    (views,) = database.row("SELECT sum(views)::bigint FROM product")
    return views


def visits(stage, cache, database, numbers, stop_after=None):
    """VIEWS visits with a flush after every FLUSH_EVERY. Returns what went through the cache."""
    through_cache = 0
    for turn, number in enumerate(numbers, 1):
        if turn == stop_after:
            stage.server.end()
        through_cache += view(cache, database, number)
        if turn % FLUSH_EVERY == 0:
            flush(cache, database, sorted(set(numbers)))
    flush(cache, database, sorted(set(numbers)))
    return through_cache


def show_stop(stage, cache, database):
    """The server is killed between two flushes."""
    before = counted_in(database)
    stop_after = VIEWS // 2 + FLUSH_EVERY // 2
    visits(stage, cache, database, stage.wanted(VIEWS), stop_after)
    lost = VIEWS - (counted_in(database) - before)
    print(f"the server is killed after visit {stop_after}: {lost} of {VIEWS} acknowledged visits are lost")
    check(0 < lost < FLUSH_EVERY, "that is less than one interval between flushes, and the application has gone on")


def show_eviction(stage, database):
    """Memory is too small: the counter is evicted before it is flushed."""
    stage.server.options = ["-m", "8"]
    stage.server.start()
    cache = stage.cache()
    for _ in range(50):
        view(cache, database, 1)
    for filler in range(300):
        cache.set(f"filler:{filler}", "x" * 100_000)
    left = cache.get("views:1")
    print(f"30 MB of other values pass through a cache of 8 MB: of 50 visits {left or 0} are left")
    check(left is None, "eviction loses visits, too: size -m so that evictions stay at 0")


def main(stage):
    cache, database = stage.cache(), stage.database()
    through_cache = visits(stage, cache, database, stage.wanted(VIEWS))
    tally = Tally(reads=VIEWS, hits=through_cache, queries=database.queries, plain=VIEWS)
    print(f"the cache works: {VIEWS} visits, {tally.queries} database queries instead of {VIEWS}, {tally.saved:.1%} saved")
    check(counted_in(database) == VIEWS, "all visits are in the database after the last flush")
    show_stop(stage, cache, database)
    show_eviction(stage, database)


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
