"""Items go from memcached to corecached and back, with all that belongs to them."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from pymemcache.client.base import Client
from stage import Server

PROGRAM = pathlib.Path(__file__).resolve().parent / "migrate" / "copy_items.py"
ITEMS = 1500


@pytest.fixture
def memcached(monkeypatch):
    binary = shutil.which("memcached")
    if binary is None:
        pytest.skip("no memcached (apt-get install memcached)")
    monkeypatch.setenv("CORECACHED_BIN", binary)
    server = Server()
    monkeypatch.undo()
    yield server
    server.end()


def copy(source, target):
    command = [sys.executable, "-B", str(PROGRAM), "%s:%d" % source.address, "%s:%d" % target.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_there_and_back(server, memcached):
    source, target = (Client(each.address, default_noreply=False, no_delay=True) for each in (memcached, server))
    for number in range(ITEMS):
        source.set(f"key:{number}", b"\r\n" * (number % 300), expire=number % 2 * 1000, flags=number)
    target.set("key:7", b"newer")
    assert copy(memcached, server) == f"{ITEMS} keys listed, {ITEMS - 1} items copied"
    source.flush_all()
    assert target.get("key:7") == b"newer"
    target.delete("key:7")
    assert copy(server, memcached) == f"{ITEMS - 1} keys listed, {ITEMS - 1} items copied"
    for number in set(range(ITEMS)) - {7}:
        words = source.raw_command(f"mg key:{number} t f".encode()).split()
        assert words[0] == b"HD" and words[2] == b"f%d" % number
        seconds = int(words[1][1:])
        assert (900 < seconds <= 1000) if number % 2 else seconds == -1
        assert source.get(f"key:{number}") == b"\r\n" * (number % 300)
