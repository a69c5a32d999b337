"""pylibmc: libmemcached from Python, over the text protocol."""

import time

import pylibmc
import pytest

BEHAVIORS = {
    "plain": {},
    "fast": {"tcp_nodelay": True, "no_block": True, "ketama": True},
}


@pytest.fixture(params=BEHAVIORS.values(), ids=BEHAVIORS.keys())
def client(request, server):
    client = pylibmc.Client([server.address], binary=False, behaviors={"cas": True, **request.param})
    yield client
    client.disconnect_all()


def test_set_and_get(client):
    assert client.get("key") is None
    assert client.set("key", "value")
    assert client.get("key") == "value"
    for value in [0, -5, 2**70, 1.5, True, None, b"\x00\r\n\xff", ["list", {"of": "things"}]]:
        assert client.set("key", value)
        assert client.get("key") == value


def test_storage_verbs(server):
    client = pylibmc.Client([server.address], binary=False)
    assert not client.replace("key", "x")
    assert client.add("key", "1")
    assert not client.add("key", "x")
    assert client.append("key", "2")
    assert client.prepend("key", "0")
    assert client.get("key") == "012"
    assert client.replace("key", "3")
    assert client.delete("key")
    assert not client.delete("key")


def test_cas(server):
    client = pylibmc.Client([server.address], binary=False, behaviors={"cas": True})
    client.set("key", "one")
    value, cas = client.gets("key")
    assert value == "one"
    assert client.cas("key", "two", cas)
    assert not client.cas("key", "three", cas)
    assert client.get("key") == "two"


def test_many_keys(client):
    values = {f"key-{number}": number for number in range(1000)}
    assert client.set_multi(values) == []
    assert client.get_multi([*values, "none"]) == values
    assert client.get_multi(["1", "2"], key_prefix="key-") == {"1": 1, "2": 2}
    assert client.delete_multi(["key-1", "key-2"])
    assert client.get("key-3") == 3


def test_numbers(server):
    client = pylibmc.Client([server.address], binary=False)
    with pytest.raises(pylibmc.NotFound):
        client.incr("n")
    client.set("n", 10)
    assert client.incr("n") == 11
    assert client.incr("n", 89) == 100
    assert client.decr("n", 1) == 99
    assert client.get("n") == 99


def test_expiry_and_touch(server):
    client = pylibmc.Client([server.address], binary=False)
    client.set("short", 1, time=1)
    client.set("touched", 1, time=1)
    assert client.touch("touched", 100)
    time.sleep(2.1)
    assert client.get("short") is None
    assert client.get("touched") == 1


def test_compressed_large_values(server):
    client = pylibmc.Client([server.address], binary=False)
    value = "text " * 400_000
    assert client.set("large", value, min_compress_len=1000)
    assert client.get("large") == value
    with pytest.raises(pylibmc.TooBig):
        client.set("too-large", value)
    assert client.get("large") == value


def test_whole_server_commands(server):
    client = pylibmc.Client([server.address], binary=False)
    [(_, stats)] = client.get_stats()
    assert int(stats["pid"]) == server.process.pid
    client.set("key", 1)
    assert client.flush_all()
    assert client.get("key") is None
