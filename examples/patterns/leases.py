"""Stampede protection by leases: of all who miss at once, the server lets one compute, and the others wait or take the old value.

    mg KEY v c N10 R30    miss                      --> VA 0 W     made an empty item: you have won, compute
                          somebody has won before   --> VA 0 Z     wait, ask again
                          a value                   --> VA n       take it
                          its time ends within 30 s --> VA n W     take it or renew it: you are the only one told so
                          invalidated               --> VA n W X   stale, and you have won; for the others VA n X Z
    ms KEY n T60 C123     stores, unless somebody has invalidated meanwhile (the cas unique is another then)
    md KEY I T30          invalidates: the value stays, marked as stale, for 30 s

Without leases a page that takes 300 ms to compute, and is asked for 100 times a second, is computed 30 times when it expires.
pymemcache has no meta commands, so the few lines of protocol are here; meta-memcache brings them ready-made.
"""

import json
import socket
import statistics
import threading
import time

from stage import Stage, Tally, check, say

VISITORS = 30
COMPUTE_SECONDS = 0.3
TTL_SECONDS = 60
LEASE_SECONDS = 10
RENEW_SECONDS = 5
STALE_SECONDS = 30
WAIT_SECONDS = 0.01
# A winner that dies keeps the others waiting for this long at most.
PATIENCE_SECONDS = 2
TIMEOUT_SECONDS = 1


class Meta:
    """A connection that speaks meta commands."""

    def __init__(self, address):
        self.address = address
        self.stream = None

    def ask(self, line, data=None):
        """The words of the reply and its value, if it has one."""
        try:
            if self.stream is None:
                connection = socket.create_connection(self.address, timeout=TIMEOUT_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.stream = connection.makefile("rwb")
                connection.close()
            self.stream.write(line.encode() + b"\r\n" + (b"" if data is None else data + b"\r\n"))
            self.stream.flush()
            words = self.stream.readline().decode().split()
            if not words:
                raise ConnectionError("the server has closed the connection")
            value = self.stream.read(int(words[1]) + 2)[:-2] if words[0] == "VA" else None
            return words, value
        except OSError:
            self.stream = None
            raise


class LeasedCache:
    """Reads by lease; one per thread. `flights` is shared by the threads of a process."""

    def __init__(self, address, flights):
        self.meta = Meta(address)
        self.flights = flights

    def read(self, key, compute, renew_seconds=RENEW_SECONDS):
        """The value, and whether it came from the cache."""
        try:
            return self.by_lease(key, compute, renew_seconds)
        except OSError:
            return self.flights.run(key, compute)

    def by_lease(self, key, compute, renew_seconds):
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            words, value = self.meta.ask(f"mg {key} v c N{LEASE_SECONDS} R{renew_seconds}")
            flags = words[2:]
            if "W" in flags:
                unique = next(word[1:] for word in flags if word.startswith("c"))
                return self.renew(key, compute, unique), False
            if value:
                return json.loads(value), True
            time.sleep(WAIT_SECONDS)
        return compute(), False

    def renew(self, key, compute, unique):
        fresh = compute()
        data = json.dumps(fresh).encode()
        self.meta.ask(f"ms {key} {len(data)} T{TTL_SECONDS} C{unique}", data)
        return fresh

    def invalidate(self, key):
        self.meta.ask(f"md {key} I T{STALE_SECONDS}")


class Flights:
    """For the time without a cache: of the threads of this process that want the same, one computes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.under_way = {}

    def run(self, key, compute):
        with self.lock:
            flight = self.under_way.get(key)
            is_first = flight is None
            if is_first:
                flight = self.under_way[key] = {"done": threading.Event()}
        if is_first:
            try:
                flight["value"] = compute()
            finally:
                with self.lock:
                    del self.under_way[key]
                flight["done"].set()
        flight["done"].wait()
        return (flight["value"] if "value" in flight else compute()), False


class Crowd:
    """VISITORS threads that want the same page at the same moment."""

    def __init__(self, stage):
        self.databases = [stage.database() for _ in range(VISITORS)]

    def come(self, read):
        """Calls `read(database, number of the visitor)` in all threads. Returns the tally and the waits in milliseconds."""
        tally = Tally(reads=VISITORS, plain=VISITORS)
        before = sum(database.queries for database in self.databases)
        gate = threading.Barrier(VISITORS)
        waits, answers = [], []

        def visit(visitor):
            gate.wait()
            begun = time.monotonic()
            answers.append(read(self.databases[visitor], visitor))
            waits.append((time.monotonic() - begun) * 1000)

        threads = [threading.Thread(target=visit, args=(visitor,)) for visitor in range(VISITORS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == VISITORS, "a visitor got no answer"
        tally.hits = sum(hit for _, hit in answers)
        tally.queries = sum(database.queries for database in self.databases) - before
        return tally, statistics.median(waits)


def page(database):
    """What is expensive: 300 ms in the database."""
    (count, _) = database.row("SELECT count(*), pg_sleep(%s) FROM product", COMPUTE_SECONDS)
    return {"products": count}


def main(stage):
    cache, flights, crowd = stage.cache(), Flights(), Crowd(stage)
    clients = [LeasedCache(stage.server.address, flights) for _ in range(VISITORS)]

    def without_lease(database, _visitor):
        found = cache.get("plain")
        if found is not None:
            return found, True
        fresh = page(database)
        cache.set("plain", fresh, TTL_SECONDS)
        return fresh, False

    def with_lease(renew_seconds=RENEW_SECONDS):
        return lambda database, visitor: clients[visitor].read("page", lambda: page(database), renew_seconds)

    def visit(what, read):
        tally, wait = crowd.come(read)
        say(what, f"{tally}; median wait {wait:.0f} ms")
        return tally, wait

    plain, _ = visit(f"{VISITORS} at once, no leases", without_lease)
    check(plain.queries > VISITORS // 2, "without leases nearly all compute the same")
    leased, _ = visit(f"{VISITORS} at once, leases", with_lease())
    check(leased.queries == 1, "with leases one computes, the others wait for it")
    clients[0].invalidate("page")
    stale, wait = visit("invalidated as stale", with_lease())
    check(stale.queries == 1 and wait < COMPUTE_SECONDS * 500, "one computes, and the others have the stale value at once")
    early, wait = visit("renewed before its time ends", with_lease(renew_seconds=TTL_SECONDS + 1))
    check(early.queries == 1 and wait < COMPUTE_SECONDS * 500, "one renews what is still good, and nobody else waits")
    stage.server.end()
    stopped, _ = visit("the cache is stopped", with_lease())
    check(stopped.queries <= 3, "the process lets one of its threads compute: the database sees one query from each process")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
