"""A server for each number of shards, shared by the tests of a module."""

import glob
import os
import pathlib
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS = 60

# pylibmc's wheel brings libsasl2, but not the mechanisms, which are plug-ins of the system's (libsasl2-modules). The
# library looks for them once, when pylibmc is imported.
for plugin in glob.glob("/usr/lib/*/sasl2/libplain.so"):
    os.environ.setdefault("SASL_PATH", os.path.dirname(plugin))


class Server:
    """A server process on a free port."""

    def __init__(self, shards, options=(), environment=None):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        command = [binary(), "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", str(shards), "-m", "256"]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        command += options
        environment = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        end = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the server ended with status {self.process.returncode}"
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
                    # A server that speaks binary only closes, one that asks for a password refuses: both answer.
                    connection.sendall(b"version\r\n")
                    connection.recv(64)
                    return
            except OSError:
                time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"no answer on port {self.port}")

    def stop(self):
        self.process.terminate()
        try:
            assert self.process.wait(timeout=60) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def binary():
    return os.environ.get("CORECACHED_BIN", str(ROOT / "target" / "release" / "corecached"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", params=[1, 2], ids=["1-shard", "2-shards"])
def shared_server(request):
    server = Server(request.param)
    yield server
    server.stop()


@pytest.fixture
def server(shared_server):
    """The server, emptied before each test."""
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=60) as connection:
        connection.sendall(b"flush_all\r\n")
        assert connection.recv(64) == b"OK\r\n"
    return shared_server
