"""A cache client for an application that goes on without its cache.

    application --> Cache --> pymemcache's pool --> server
                      |
                      '-- the server does not answer: every call returns what a miss would, for half
                          a second, without asking again. Then one call tries.

A cache that is down so costs one short timeout in a while, and not one for every request. A connection of the pool that a
restarted server has closed is no failure yet: what may be sent twice is tried once more on a new one.
"""

import json
import threading
import time

from pymemcache.client.base import PooledClient
from pymemcache.exceptions import MemcacheError, MemcacheUnexpectedCloseError

# Long enough for a busy machine that runs tests. In production a fifth of a second is more usual: a read of the database is the
# other choice.
CONNECT_TIMEOUT_SECONDS = 2
TIMEOUT_SECONDS = 2
# How long the server is left alone after a failure.
PAUSE_SECONDS = 0.5
# Commands that do the same when they are done twice.
REPEATABLE = {"get", "gets", "get_many", "set", "set_many", "delete", "touch", "stats"}


class JsonSerde:
    """Values as JSON: readable from every language, and never code, as pickled ones are."""

    def serialize(self, _key, value):
        return json.dumps(value, separators=(",", ":")).encode(), 0

    def deserialize(self, _key, value, _flags):
        return json.loads(value)


class Cache:
    """The commands that the examples need. None of them raises because of the server."""

    def __init__(self, address, connections=64):
        self.errors = 0
        self._alone_until = 0.0
        self._lock = threading.Lock()
        self._address = address
        self._connections = connections
        self._client = self._new_pool()

    def _new_pool(self):
        return PooledClient(
            self._address,
            serde=JsonSerde(),
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            timeout=TIMEOUT_SECONDS,
            max_pool_size=self._connections,
            no_delay=True,
            # Without this, pymemcache does not read the replies of stores and never learns that one was refused.
            default_noreply=False,
        )

    @property
    def is_down(self):
        return time.monotonic() < self._alone_until

    def _ask(self, command, otherwise, *arguments):
        if self.is_down:
            return otherwise
        pool = self._client
        try:
            try:
                return getattr(pool, command)(*arguments)
            except (ConnectionError, MemcacheUnexpectedCloseError):
                if command not in REPEATABLE:
                    raise
                pool = self._replace(pool)
                return getattr(pool, command)(*arguments)
        except (OSError, MemcacheUnexpectedCloseError):
            self._leave_alone(pool)
        except MemcacheError:
            # The server is there and refuses: memory is full with -M, the value is too large.
            self.errors += 1
        return otherwise

    def _leave_alone(self, pool):
        with self._lock:
            self.errors += 1
            self._alone_until = time.monotonic() + PAUSE_SECONDS
        self._replace(pool)

    def _replace(self, pool):
        """The other connections of the pool are as dead as the one that failed. It is not closed, since other threads may be using
        some of them: the last who lets go of it closes them."""
        with self._lock:
            if self._client is pool:
                self._client = self._new_pool()
            return self._client

    def get(self, key, default=None):
        return self._ask("get", default, key, default)

    def gets(self, key):
        """The value and its cas unique, or two times None."""
        return self._ask("gets", (None, None), key)

    def get_many(self, keys):
        return self._ask("get_many", {}, keys)

    def set(self, key, value, expire=0):
        return self._ask("set", False, key, value, expire)

    def set_many(self, values, expire=0):
        """The keys that could not be stored."""
        return self._ask("set_many", list(values), values, expire)

    def add(self, key, value, expire=0):
        return self._ask("add", False, key, value, expire)

    def cas(self, key, value, unique, expire=0):
        """True if it was stored, False if somebody else has stored meanwhile, None if the key is gone."""
        return self._ask("cas", None, key, value, unique, expire)

    def delete(self, key):
        """False if there was none, None if the server could not be asked."""
        return self._ask("delete", None, key)

    def incr(self, key, by=1):
        return self._ask("incr", None, key, by)

    def decr(self, key, by=1):
        return self._ask("decr", None, key, by)

    def touch(self, key, expire):
        return self._ask("touch", False, key, expire)

    def stats(self):
        return self._ask("stats", {})
