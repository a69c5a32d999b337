"""libmemcached's command-line tools (Debian spells some names with one more c)."""

import os
import shutil
import subprocess

import pytest


def tool(name):
    """The path of a tool under either of its names."""
    for candidate in [name, name.replace("mem", "memc", 1)]:
        path = shutil.which(candidate)
        if path:
            return path
    pytest.skip(f"{name} is not installed")


def run(name, *arguments, status=0, **options):
    command = [tool(name), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, timeout=120, **options)
    output = (result.stdout + result.stderr).decode(errors="replace")
    assert result.returncode == status, f"{command} ended with {result.returncode}: {output}"
    return output


@pytest.fixture
def servers(server):
    return f"--servers={server.address}"


# Not `ascii delete` and `ascii delete noreply`: they want an error for `delete a b c d e`, where memcached, and so
# this server, ignores surplus words since 1.6.41. And not `ascii quit`, which memcapable cannot run alone.
CAPABILITIES = (
    ["version", "verbosity", "get", "gets", "mget", "stat"]
    + ["set", "flush", "add", "replace", "cas", "incr", "decr", "append", "prepend"]
    + [f"{verb} noreply" for verb in ["set", "flush", "add", "replace", "cas", "incr", "decr", "append", "prepend"]]
)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_memcapable(server, capability):
    output = run("memcapable", "-a", "-h", "127.0.0.1", "-p", server.port, "-T", f"ascii {capability}")
    assert "All tests passed" in output, output


def test_memping(servers):
    run("memping", servers)


def test_files_are_copied_in_and_out(servers, tmp_path):
    small, large = tmp_path / "small.txt", tmp_path / "large.bin"
    small.write_text("some text")
    large.write_bytes(os.urandom(900_000))
    run("memcp", servers, small, large)
    assert "some text" in run("memcat", servers, "small.txt")
    copy = tmp_path / "copy.bin"
    run("memcat", servers, f"--file={copy}", "large.bin")
    assert copy.read_bytes() == large.read_bytes()
    run("memexist", servers, "small.txt")
    run("memtouch", servers, "--expire=100", "small.txt")
    run("memrm", servers, "small.txt")
    run("memexist", servers, "small.txt", status=1)


def test_memstat(server, servers):
    output = run("memstat", servers)
    assert f"pid: {server.process.pid}" in output
    assert "curr_items:" in output


def test_memflush(servers, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("x")
    run("memcp", servers, file)
    run("memflush", servers)
    run("memexist", servers, "a.txt", status=1)


@pytest.mark.parametrize("test", ["set", "get", "mget"])
def test_memslap(servers, test):
    run("memslap", servers, "--concurrency=4", "--execute-number=500", f"--test={test}")


@pytest.mark.parametrize("options", [[], ["--division=20"]], ids=["single", "multiget"])
def test_memaslap_verifies_what_it_reads(servers, options):
    output = run("memaslap", servers, "--threads=2", "--concurrency=16", "--execute_number=20000", "--verify=1.0", *options)
    counts = dict(line.split(":", 1) for line in output.splitlines() if line.count(":") == 1)
    assert int(counts["verify_misses"]) == 0, output
    assert int(counts["verify_failed"]) == 0, output
