"""Counters and rate limits: `incr` is one step in the server, so no two clients count as one.

    allow:  add KEY:window 0 (a second clerk finds it there) --> incr --> at most LIMIT?
    down:   a limit of its own in each process: LIMIT / PROCESSES

The key contains the number of the time window, so an old window expires by itself. Reading, adding one and storing again lets
through too many: the program shows how many.
"""

import threading
import time

from stage import Stage, check

LIMIT = 50
WINDOW_SECONDS = 60
PROCESSES = 4
CLERKS = 8
ATTEMPTS_OF_A_CLERK = 50


class RateLimit:
    """At most LIMIT requests of a user in a window."""

    def __init__(self, cache):
        self.cache = cache
        self.lock = threading.Lock()
        self.own = {}

    def allows(self, user, now):
        window = int(now // WINDOW_SECONDS)
        key = f"rate:{user}:{window}"
        self.cache.add(key, 0, 2 * WINDOW_SECONDS)
        count = self.cache.incr(key)
        if count is None:
            return self.allows_alone(user, window)
        return count <= LIMIT

    def allows_alone(self, user, window):
        """Without the cache: the limit is shared by guess. To refuse all or to allow all are the other two choices."""
        with self.lock:
            last, count = self.own.get(user, (window, 0))
            count = count + 1 if last == window else 1
            self.own[user] = (window, count)
        return count <= LIMIT // PROCESSES


def careless_allows(cache, user):
    """Get, add one, set: two clerks read the same number, and both store the next one."""
    key = f"careless:{user}"
    count = cache.get(key, 0)
    if count >= LIMIT:
        return False
    cache.set(key, count + 1, WINDOW_SECONDS)
    return True


def allowed_of(allows):
    """How many of all attempts of all clerks are allowed."""
    counts = []

    def clerk():
        counts.append(sum(allows() for _ in range(ATTEMPTS_OF_A_CLERK)))

    threads = [threading.Thread(target=clerk) for _ in range(CLERKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def main(stage):
    cache, database = stage.cache(), stage.database()
    limit, now = RateLimit(cache), time.time()
    attempts = CLERKS * ATTEMPTS_OF_A_CLERK
    careless = allowed_of(lambda: careless_allows(cache, "ann"))
    print(f"get and set: {careless} of {attempts} attempts allowed, the limit is {LIMIT}")
    exact = allowed_of(lambda: limit.allows("ann", now))
    print(f"incr: {exact} of {attempts} attempts allowed; {database.queries} database queries instead of {attempts}, 100% saved")
    check(careless > exact, "get and set lets through more than the limit")
    check(exact == LIMIT, "incr allows exactly the limit")
    check(limit.allows("ann", now + WINDOW_SECONDS), "the next window begins anew")
    stage.server.end()
    alone = allowed_of(lambda: limit.allows("bob", now))
    print(f"the cache is stopped: {alone} of {attempts} attempts allowed by this process, one of {PROCESSES}")
    check(alone == LIMIT // PROCESSES, "the application goes on with a limit of its own")
    stage.server.start()
    time.sleep(1)
    back = allowed_of(lambda: limit.allows("eve", now))
    check(back == LIMIT, "and with the common one once the cache is back")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
