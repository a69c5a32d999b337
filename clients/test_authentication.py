"""Authentication with real clients: SASL PLAIN by pylibmc and libmemcached's tools, -Y by pymemcache."""

import pylibmc
import pymemcache
import pytest

from conftest import Server
from test_libmemcached_tools import run


@pytest.fixture(scope="module")
def passwords(tmp_path_factory):
    file = tmp_path_factory.mktemp("auth") / "passwords"
    file.write_text("ann:secret\nbob:other\n")
    return str(file)


@pytest.fixture(scope="module", params=[1, 2], ids=["1-shard", "2-shards"])
def sasl(request, passwords):
    server = Server(request.param, ["-S"], {"MEMCACHED_SASL_PWDB": passwords})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def text(passwords):
    server = Server(2, ["-Y", passwords])
    yield server
    server.stop()


def test_pylibmc(sasl):
    assert pylibmc.support_sasl
    client = pylibmc.Client([sasl.address], binary=True, username="ann", password="secret")
    assert client.set("key", "value")
    assert client.get("key") == "value"
    assert client.get_multi(["key", "none"]) == {"key": "value"}
    stranger = pylibmc.Client([sasl.address], binary=True, username="ann", password="wrong")
    with pytest.raises(pylibmc.Error):
        stranger.set("key", "theirs")
    anonymous = pylibmc.Client([sasl.address], binary=True)
    with pytest.raises(pylibmc.Error):
        anonymous.set("key", "theirs")
    assert client.get("key") == "value"


def test_libmemcached_tools(sasl, tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("some text")
    servers = [f"--servers={sasl.address}", "--binary"]
    ann = ["--username=ann", "--password=secret"]
    run("memcp", *servers, *ann, file)
    assert "some text" in run("memcat", *servers, *ann, "file.txt")
    wrong = ["--username=ann", "--password=wrong"]
    run("memcat", *servers, *wrong, "file.txt", status=1)
    run("memcat", *servers, "file.txt", status=1)


def test_pymemcache(text):
    client = pymemcache.Client(text.address, default_noreply=False)
    with pytest.raises(pymemcache.exceptions.MemcacheError):
        client.get("key")
    client.close()
    with pytest.raises(pymemcache.exceptions.MemcacheError):
        client.set("auth", "ann wrong")
    client.close()
    assert client.set("auth", "bob other")
    assert client.set("key", "value")
    assert client.get("key") == b"value"
    assert client.get("auth") is None
