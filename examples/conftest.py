"""Servers for the tests of examples/; the programs of examples/patterns start their own."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "patterns"))


@pytest.fixture
def server():
    from stage import Server

    server = Server()
    yield server
    if server.process.poll() is None:
        server.end()
