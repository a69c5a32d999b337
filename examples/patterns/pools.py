"""Connection pools: connections are kept, and their number is bounded, towards the cache and towards the database.

    threads --> pool of the cache (as many as threads)     --> server
            '-> pool of the database (few: what it bears)  --> PostgreSQL

A connection for each request costs three more packets, a port for a minute, and with TLS a handshake. A pool towards the database
is what protects it on the day when the cache is gone: all reads come to it then, and queue in the application.
pymemcache's PooledClient raises RuntimeError when all connections are in use, instead of waiting: give it as many as there are
threads.
"""

import threading
import time

from psycopg_pool import ConnectionPool
from pymemcache.client.base import Client

from stage import Stage, Tally, check, say

THREADS = 16
READS_OF_A_THREAD = 100
DATABASE_CONNECTIONS = 4


def in_threads(read):
    """Runs `read(thread)` in all threads, READS_OF_A_THREAD times each. Returns seconds."""

    def reader(thread):
        for turn in range(READS_OF_A_THREAD):
            read(thread * READS_OF_A_THREAD + turn)

    begun = time.monotonic()
    threads = [threading.Thread(target=reader, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def connections_of(address):
    """How many connections the server has accepted so far, this one included."""
    client = Client(address)
    accepted = client.stats()[b"total_connections"]
    client.close()
    return accepted


def show_pool(stage):
    """The same reads, with a connection for each and with a pool."""
    reads = THREADS * READS_OF_A_THREAD
    address = stage.server.address
    pool = stage.cache(connections=THREADS)
    pool.set("key", "value")

    def with_new_connection(_turn):
        client = Client(address, default_noreply=False)
        assert client.get("key") == b'"value"'
        client.close()

    def from_pool(_turn):
        assert pool.get("key") == "value"

    for what, read in [("a connection for each request", with_new_connection), ("a pool", from_pool)]:
        before = connections_of(address)
        seconds = in_threads(read)
        opened = connections_of(address) - before - 1
        print(f"{what}: {reads} reads in {seconds:.2f} s, {opened} connections opened")
    check(opened <= THREADS, "a pool opens no more connections than there are threads")


def main(stage):
    show_pool(stage)
    cache = stage.cache(connections=THREADS)
    counting = threading.Lock()
    options = {"autocommit": True, "options": f"-c search_path={stage.schema} -c application_name={stage.schema}"}
    with ConnectionPool(stage.url, kwargs=options, min_size=1, max_size=DATABASE_CONNECTIONS, timeout=30, open=True) as pool:
        tally, peak, wanted = Tally(), [0], stage.wanted(THREADS * READS_OF_A_THREAD)

        def read(turn):
            number = wanted[turn]
            name = cache.get(f"name:{number}")
            hit = name is not None
            if not hit:
                with pool.connection() as connection:
                    (name,) = connection.execute("SELECT name FROM product WHERE number = %s", [number]).fetchone()
                cache.set(f"name:{number}", name, 60)
            assert name == f"product {number}"
            with counting:
                tally.hits += hit
                tally.queries += not hit
                peak[0] = max(peak[0], pool.get_stats()["pool_size"])

        def act():
            tally.hits = tally.queries = 0
            in_threads(read)
            reads = THREADS * READS_OF_A_THREAD
            return Tally(reads=reads, hits=tally.hits, queries=tally.queries, plain=reads)

        works, stopped, back = stage.acts(act)
        print(f"at most {peak[0]} connections to the database at any time")
        check(works.hit_rate > 0.5, "most reads hit")
        check(stopped.queries == THREADS * READS_OF_A_THREAD, "without the cache all reads come to the database")
        check(peak[0] <= DATABASE_CONNECTIONS, "and the pool lets no more through than the database bears")
        check(back.hit_rate > 0.5, "then the cache takes them again")


if __name__ == "__main__":
    with Stage() as stage:
        main(stage)
