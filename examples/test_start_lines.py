"""docs/start-lines.md against the server: each line of the table does what its row says."""

import os
import pathlib
import re
import shlex
import subprocess
import time

import pytest
from pymemcache.client.base import Client
from stage import free_port

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "start-lines.md"
START_TIMEOUT_SECONDS = 30


def rows():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) == 3 and cells[1].startswith("`memcached"):
            yield cells[0].lstrip("| "), cells[1].strip("`"), cells[2].rstrip("| ")


ROWS = list(rows())


def words_of(line, folder, port):
    """The line with a port, a folder and a user that are there."""
    words = shlex.split(line)[1:]
    words = [word.replace("/var/run/memcached/", f"{folder}/") for word in words]
    has_socket = "-s" in words
    if "-p" in words:
        words[words.index("-p") + 1] = str(port)
    elif not has_socket:
        words += ["-p", str(port)]
    if "-u" in words:
        words[words.index("-u") + 1] = "nobody"
    return words


def value_of(words, letter, long):
    """The value of an option, however it is written."""
    for number, word in enumerate(words):
        if word == letter:
            return words[number + 1]
        if word.startswith((f"{letter} ", f"--{long}=")):
            return re.split("[ =]", word)[1]
    return None


def connected(process, address):
    end = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        client = Client(address, timeout=10, default_noreply=False)
        try:
            client.version()
            return client
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"it does not answer: {process.communicate()[1]}")


def check_settings(client, words):
    settings = client.stats("settings")
    wanted = {
        b"maxbytes": (value_of(words, "-m", "memory-limit"), lambda text: int(text) << 20),
        b"maxconns": (value_of(words, "-c", "conn-limit"), int),
        b"num_threads": (value_of(words, "-t", "threads"), int),
        b"item_size_max": (value_of(words, "-I", "max-item-size"), lambda text: int(text[:-1]) << 20),
    }
    for name, (text, read) in wanted.items():
        if text is not None:
            assert int(settings[name]) == read(text), name
    assert bool(settings[b"dump_enabled"] in (b"yes", True)) == ("-X" not in words)


@pytest.mark.parametrize("who, line, what", ROWS, ids=[row[0] for row in ROWS])
def test_start_line(who, line, what, tmp_path):
    tmp_path.chmod(0o777)
    for folder in list(tmp_path.parents)[:3]:
        # The server becomes another user, who has to get here.
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    port = free_port()
    words = words_of(line, tmp_path, port)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MEMCACHED", "SASL"))}
    process = subprocess.Popen(
        [os.environ["CORECACHED_BIN"], *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
    )
    try:
        if what.startswith("refuses"):
            said = process.communicate(timeout=START_TIMEOUT_SECONDS)[1]
            assert process.returncode not in (0, None)
            assert "MEMCACHED_SASL_PWDB" in said
            return
        path = value_of(words, "-s", "unix-socket")
        client = connected(process, path or ("127.0.0.1", port))
        client.set("key", b"value")
        assert client.get("key") == b"value"
        check_settings(client, words)
        pidfile = value_of(words, "-P", "pidfile")
        if pidfile is not None:
            assert int(pathlib.Path(pidfile).read_text()) == process.pid
        client.close()
        process.terminate()
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 0
        assert ("loopback only" in said) == ("loopback only" in what), said
    finally:
        process.kill()
        process.wait()


def test_the_table_is_read():
    assert len(ROWS) == 15
