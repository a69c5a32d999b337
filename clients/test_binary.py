"""The binary protocol: pylibmc and libmemcached's tools."""

import os

import pylibmc
import pytest

from test_libmemcached_tools import run

# Not `binary quit` and `binary quitq`, which memcapable cannot run alone.
CAPABILITIES = (
    ["noop", "version", "stat", "illegal", "get", "getq", "getk", "getkq", "set", "setq", "flush", "flushq"]
    + ["add", "addq", "replace", "replaceq", "delete", "deleteq", "incr", "incrq", "decr", "decrq"]
    + ["append", "appendq", "prepend", "prependq"]
)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_memcapable(server, capability):
    output = run("memcapable", "-b", "-h", "127.0.0.1", "-p", server.port, "-T", f"binary {capability}")
    assert "All tests passed" in output, output


def test_tools(server, tmp_path):
    servers = [f"--servers={server.address}", "--binary"]
    small, large = tmp_path / "small.txt", tmp_path / "large.bin"
    small.write_text("some text")
    large.write_bytes(os.urandom(900_000))
    run("memcp", *servers, small, large)
    assert "some text" in run("memcat", *servers, "small.txt")
    copy = tmp_path / "copy.bin"
    run("memcat", *servers, f"--file={copy}", "large.bin")
    assert copy.read_bytes() == large.read_bytes()
    run("memexist", *servers, "small.txt")
    run("memtouch", *servers, "--expire=100", "small.txt")
    run("memrm", *servers, "small.txt")
    run("memexist", *servers, "small.txt", status=1)
    statistics = run("memstat", *servers)
    assert f"pid: {server.process.pid}" in statistics
    assert "version: 1.6.45" in statistics


@pytest.fixture(params=[{}, {"tcp_nodelay": True, "no_block": True, "ketama": True}], ids=["plain", "fast"])
def client(request, server):
    client = pylibmc.Client([server.address], binary=True, behaviors={"cas": True, **request.param})
    yield client
    client.disconnect_all()


def test_set_and_get(client):
    assert client.get("key") is None
    for value in ["value", 0, -5, 2**70, 1.5, True, None, b"\x00\r\n\xff", ["list", {"of": "things"}]]:
        assert client.set("key", value)
        assert client.get("key") == value


def test_verbs(server):
    client = pylibmc.Client([server.address], binary=True)
    with pytest.raises(pylibmc.NotFound):
        client.replace("key", "x")
    assert client.add("key", "1")
    assert not client.add("key", "x")
    assert client.append("key", "2")
    assert client.prepend("key", "0")
    assert client.get("key") == "012"
    assert client.replace("key", "3")
    assert client.touch("key", 100)
    assert client.delete("key")
    assert not client.delete("key")


def test_cas(server):
    client = pylibmc.Client([server.address], binary=True, behaviors={"cas": True})
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
    assert client.delete_multi(["key-1", "key-2"])
    assert client.get("key-3") == 3


def test_numbers(server):
    client = pylibmc.Client([server.address], binary=True)
    with pytest.raises(pylibmc.NotFound):
        client.incr("n")
    client.set("n", 10)
    assert client.incr("n", 90) == 100
    assert client.decr("n", 1) == 99
    assert client.get("n") == 99


def test_large_values(server):
    client = pylibmc.Client([server.address], binary=True)
    value = os.urandom(1_000_000)
    assert client.set("large", value)
    assert client.get("large") == value
    with pytest.raises(pylibmc.TooBig):
        client.set("large", os.urandom(1_048_576))
    assert client.get("large") is None


def test_whole_server_commands(server):
    client = pylibmc.Client([server.address], binary=True)
    [(_, stats)] = client.get_stats()
    assert int(stats["pid"]) == server.process.pid
    client.set("key", 1)
    assert client.flush_all()
    assert client.get("key") is None
