"""pymemcache: its plain, pooled and hashing clients."""

import json
import threading
import time

import pytest
from pymemcache import MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError, serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient


@pytest.fixture(params=[Client, PooledClient, "hash"], ids=["client", "pooled", "hash"])
def client(request, server):
    options = {"default_noreply": False, "timeout": 60}
    if request.param == "hash":
        client = HashClient([("127.0.0.1", server.port)], **options)
    else:
        client = request.param(("127.0.0.1", server.port), **options)
    yield client
    client.close()


def test_set_and_get(client):
    assert client.get("key") is None
    assert client.get("key", "default") == "default"
    assert client.set("key", "value") is True
    assert client.get("key") == b"value"
    assert client.set("key", b"\x00\r\nEND\r\n\xff") is True
    assert client.get("key") == b"\x00\r\nEND\r\n\xff"
    assert client.set("empty", b"") is True
    assert client.get("empty") == b""


def test_storage_verbs(client):
    assert client.replace("key", "1") is False
    assert client.add("key", "2") is True
    assert client.add("key", "3") is False
    assert client.replace("key", "4") is True
    assert client.append("key", "5") is True
    assert client.prepend("key", "0") is True
    assert client.get("key") == b"045"
    assert client.append("none", "x") is False


def test_cas(client):
    assert client.cas("key", "x", b"1") is None
    client.set("key", "one")
    value, cas = client.gets("key")
    assert value == b"one"
    assert client.cas("key", "two", cas) is True
    assert client.cas("key", "three", cas) is False
    assert client.get("key") == b"two"


def test_many_keys(client):
    values = {f"key-{number}": b"v%d" % number for number in range(500)}
    assert client.set_many(values) == []
    assert client.get_many([*values, "none"]) == values
    found = client.gets_many(["key-1", "key-2"])
    assert {key: value for key, (value, _) in found.items()} == {"key-1": b"v1", "key-2": b"v2"}
    assert client.delete_many(["key-1", "key-2"]) is True
    assert client.get_many(["key-1", "key-2", "key-3"]) == {"key-3": b"v3"}


def test_numbers(client):
    assert client.incr("n", 1) is None
    client.set("n", "10")
    assert client.incr("n", 5) == 15
    assert client.decr("n", 20) == 0
    client.set("text", "abc")
    with pytest.raises(MemcacheClientError):
        client.incr("text", 1)


def test_delete_and_touch(client):
    client.set("key", "value")
    assert client.touch("key", 100) is True
    assert client.touch("none", 100) is False
    assert client.delete("key") is True
    assert client.delete("key") is False


def test_expiry(client):
    client.set("short", "x", expire=1)
    client.set("long", "x", expire=100)
    client.set("past", "x", expire=-1)
    assert client.get("past") is None
    assert client.touch("long", 1) is True
    time.sleep(2.1)
    assert client.get("short") is None
    assert client.get("long") is None


def test_flags_keep_the_type(server):
    client = Client(("127.0.0.1", server.port), serde=serde.pickle_serde, default_noreply=False)
    for value in [1, 2.5, "text", b"bytes", [1, {"a": None}], True]:
        client.set("key", value)
        assert client.get("key") == value
    client.close()


def test_large_values(client):
    value = json.dumps(list(range(100_000))).encode()
    assert client.set("large", value) is True
    assert client.get("large") == value
    with pytest.raises(MemcacheServerError):
        client.set("too-large", b"x" * (1 << 20))
    # The connection goes on.
    assert client.get("too-large") is None
    assert client.get("large") == value


def test_noreply(client):
    for number in range(1000):
        client.set(f"key-{number}", b"%d" % number, noreply=True)
    client.incr("key-7", 1, noreply=True)
    client.delete("key-8", noreply=True)
    assert client.get("key-999") == b"999"
    assert client.get("key-7") == b"8"
    assert client.get("key-8") is None


def test_refused_keys(client):
    with pytest.raises(MemcacheIllegalInputError):
        client.set("with space", "x")
    with pytest.raises(MemcacheIllegalInputError):
        client.get("k" * 251)
    assert client.set("k" * 250, "x") is True
    assert client.get("k" * 250) == b"x"


def test_whole_server_commands(server):
    client = Client(("127.0.0.1", server.port), default_noreply=False)
    assert client.version().startswith(b"1.6.")
    stats = client.stats()
    assert stats[b"pid"] == server.process.pid
    assert client.stats("settings")[b"tcpport"] == server.port
    client.set("key", "value")
    assert client.flush_all() is True
    assert client.get("key") is None
    assert client.cache_memlimit(300) is True
    client.quit()


def test_threads_share_a_pool(server):
    client = PooledClient(("127.0.0.1", server.port), max_pool_size=8, default_noreply=False, timeout=60)
    client.set("total", "0")

    def work():
        for _ in range(200):
            client.incr("total", 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("total").strip() == b"1600"
    client.close()
