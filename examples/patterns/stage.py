"""What the examples run on: a PostgreSQL, a cache server of their own that can be stopped, and a tally.

    Stage --> Database   a schema of its own in the PostgreSQL of DATABASE_URL; counts its queries
          --> Server     the binary of CORECACHED_BIN on a free port; can be killed, frozen, started again
          --> Cache      the client of cache.py

None of this belongs into an application: a pattern's own code stands in the pattern's file.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import psycopg

from cache import PAUSE_SECONDS, Cache

PRODUCTS = 400
START_TIMEOUT_SECONDS = 20


class Database:
    """A connection that counts its queries."""

    def __init__(self, url, schema):
        self.connection = psycopg.connect(url, autocommit=True, options=f"-c search_path={schema}")
        self.queries = 0

    def rows(self, query, *arguments):
        self.queries += 1
        return self.connection.execute(query, arguments).fetchall()

    def row(self, query, *arguments):
        found = self.rows(query, *arguments)
        return found[0] if found else None

    def run(self, query, *arguments):
        self.queries += 1
        return self.connection.execute(query, arguments).rowcount


class Server:
    """The cache server, as a process that the example may stop."""

    def __init__(self, options=()):
        self.options = list(options)
        self.address = ("127.0.0.1", free_port())
        self.process = None
        self.start()

    def start(self):
        host, port = self.address
        command = [os.environ["CORECACHED_BIN"], "-l", host, "-p", str(port), "-U", "0", "-t", "1"]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        self.process = subprocess.Popen(command + self.options, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the cache server does not start: {' '.join(command)}")
            time.sleep(0.02)

    def answers(self):
        try:
            with socket.create_connection(self.address, timeout=1) as connection:
                connection.sendall(b"version\r\n")
                return connection.recv(64).startswith(b"VERSION")
        except OSError:
            return False

    def end(self, number=signal.SIGKILL):
        """Ends it, by SIGKILL as a crash would, unless another signal is named."""
        self.process.send_signal(number)
        self.process.wait(timeout=START_TIMEOUT_SECONDS)

    def freeze(self):
        """The machine is there, the server does not answer: what a broken network looks like."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


@dataclass
class Tally:
    """What an act has cost. `plain` is the number of queries that the same program without a cache would have made."""

    reads: int = 0
    hits: int = 0
    queries: int = 0
    plain: int = 0

    @property
    def hit_rate(self):
        return self.hits / self.reads if self.reads else 0.0

    @property
    def saved(self):
        return 1 - self.queries / self.plain if self.plain else 0.0

    def __str__(self):
        return (
            f"{self.reads} reads, hit rate {self.hit_rate:.1%}; {self.queries} database queries "
            f"instead of {self.plain}, {self.saved:.1%} saved"
        )


class Stage:
    """Puts everything up, and takes it down again whatever happens."""

    def __init__(self, server_options=()):
        self.url = os.environ["DATABASE_URL"]
        self.schema = f"example_{os.getpid()}"
        self.random = random.Random(7)
        self.server = Server(server_options)
        self.databases = []
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {self.schema}")
        make_products(self.database())

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.server.thaw()
        self.server.end()
        for database in self.databases:
            database.connection.close()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {self.schema} CASCADE")

    def database(self):
        database = Database(self.url, self.schema)
        self.databases.append(database)
        return database

    def cache(self, **options):
        return Cache(self.server.address, **options)

    def wanted(self, reads):
        """Product numbers as visitors ask for them: few very often, most seldom (a Zipf distribution of 1)."""
        weights = [1 / rank for rank in range(1, PRODUCTS + 1)]
        return self.random.choices(range(1, PRODUCTS + 1), weights, k=reads)

    def acts(self, act):
        """Runs `act` while the cache works, after it was killed, and after it was started again. Returns the three tallies."""
        tallies = [say("the cache works", act())]
        self.server.end()
        tallies.append(say("the cache is stopped", act()))
        self.server.start()
        # By then the client tries again.
        time.sleep(PAUSE_SECONDS)
        tallies.append(say("the cache is back, and empty", act()))
        return tallies


def make_products(database):
    database.run("CREATE TABLE product (number int PRIMARY KEY, name text NOT NULL, cents int NOT NULL, views bigint NOT NULL DEFAULT 0)")
    database.run("INSERT INTO product SELECT n, 'product ' || n, n * 10 FROM generate_series(1, %s) AS n", PRODUCTS)
    database.queries = 0


def say(what, fact):
    print(f"{what}: {fact}")
    return fact


def check(fact, sentence):
    """Ends the program if what it claims is not so."""
    if not fact:
        print(f"NOT SO: {sentence}", file=sys.stderr)
        raise SystemExit(1)
    print(f"so it is: {sentence}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
