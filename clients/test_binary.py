"""The binary protocol: libmemcached's tools; pylibmc speaks it in test_pylibmc.py."""

import os

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
