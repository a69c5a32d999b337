"""pylibmc: libmemcached from Python, over the text and the binary protocol."""

import os
import time

import pylibmc
import pytest

PROTOCOLS = {"text": False, "binary": True}
BEHAVIORS = {
    "plain": {},
    "fast": {"tcp_nodelay": True, "no_block": True, "ketama": True},
}


@pytest.fixture(params=PROTOCOLS.values(), ids=PROTOCOLS.keys())
def binary(request):
    return request.param


@pytest.fixture(params=BEHAVIORS.values(), ids=BEHAVIORS.keys())
def any_client(request, server, binary):
    """A client for what other behaviours might change."""
    client = pylibmc.Client([server.address], binary=binary, behaviors={"cas": True, **request.param})
    yield client
    client.disconnect_all()


@pytest.fixture
def client(server, binary):
    client = pylibmc.Client([server.address], binary=binary, behaviors={"cas": True})
    yield client
    client.disconnect_all()


def test_set_and_get(any_client):
    assert any_client.get("key") is None
    for value in ["value", 0, -5, 2**70, 1.5, True, None, b"\x00\r\n\xff", ["list", {"of": "things"}]]:
        assert any_client.set("key", value)
        assert any_client.get("key") == value


def test_many_keys(any_client):
    values = {f"key-{number}": number for number in range(1000)}
    assert any_client.set_multi(values) == []
    assert any_client.get_multi([*values, "none"]) == values
    assert any_client.get_multi(["1", "2"], key_prefix="key-") == {"1": 1, "2": 2}
    assert any_client.delete_multi(["key-1", "key-2"])
    assert any_client.get("key-3") == 3


def test_storage_verbs(client, binary):
    # libmemcached tells a missing item from one that is not stored in the binary protocol only.
    if binary:
        with pytest.raises(pylibmc.NotFound):
            client.replace("key", "x")
    else:
        assert not client.replace("key", "x")
    assert client.add("key", "1")
    assert not client.add("key", "x")
    assert client.append("key", "2")
    assert client.prepend("key", "0")
    assert client.get("key") == "012"
    assert client.replace("key", "3")
    assert client.delete("key")
    assert not client.delete("key")


def test_cas(client):
    client.set("key", "one")
    value, cas = client.gets("key")
    assert value == "one"
    assert client.cas("key", "two", cas)
    assert not client.cas("key", "three", cas)
    assert client.get("key") == "two"


def test_numbers(client):
    with pytest.raises(pylibmc.NotFound):
        client.incr("n")
    client.set("n", 10)
    assert client.incr("n") == 11
    assert client.incr("n", 89) == 100
    assert client.decr("n", 1) == 99
    assert client.get("n") == 99


def test_expiry_and_touch(client):
    client.set("short", 1, time=1)
    client.set("touched", 1, time=4)
    assert client.touch("touched", 100)
    time.sleep(5.1)
    assert client.get("short") is None
    assert client.get("touched") == 1


def test_large_values(client):
    value = os.urandom(1_000_000)
    assert client.set("large", value)
    assert client.get("large") == value
    with pytest.raises(pylibmc.TooBig):
        client.set("large", os.urandom(1_048_576))
    assert client.get("large") is None


def test_compressed_large_values(client):
    value = "text " * 400_000
    assert client.set("large", value, min_compress_len=1000)
    assert client.get("large") == value
    with pytest.raises(pylibmc.TooBig):
        client.set("too-large", value)
    assert client.get("large") == value


def test_whole_server_commands(server, client):
    [(_, stats)] = client.get_stats()
    assert int(stats["pid"]) == server.process.pid
    client.set("key", 1)
    assert client.flush_all()
    assert client.get("key") is None
