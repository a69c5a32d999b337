"""The same small program in several languages: it reads through the cache, counts, and goes on without the cache.

A language whose compiler or client library is not here is skipped, by name.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent / "clients"
NODE_MODULES = os.environ.get("EXAMPLES_NODE_MODULES", "")
GO_SOURCES = "/usr/share/gocode"
JAVA_LIBRARY = "/usr/share/java/spymemcached.jar"
C_HEADER = "/usr/include/libmemcached/memcached.h"
NO_PATH = "/nonexistent"

# The command, and what has to be there for it.
LANGUAGES = {
    "python": ([sys.executable, "-B", "client.py"], []),
    "go": (["go", "run", "client.go"], ["go", f"{GO_SOURCES}/src/github.com/bradfitz/gomemcache"]),
    "node": (["node", "client.js"], ["node", f"{NODE_MODULES or NO_PATH}/memjs"]),
    "php": (["php", "client.php"], ["php", "php:memcached"]),
    "ruby": (["ruby", "client.rb"], ["ruby", "ruby:dalli"]),
    "c": (["sh", "-c", 'cc -Wall -Werror -o "$C_PROGRAM" client.c -lmemcached && "$C_PROGRAM" "$0"'], ["cc", C_HEADER]),
    "java": (["java", "-cp", JAVA_LIBRARY, "Client.java"], ["javac", JAVA_LIBRARY]),
}
ENVIRONMENT = {"GO111MODULE": "off", "GOPATH": GO_SOURCES, "GOFLAGS": "", "NODE_PATH": NODE_MODULES}
WITH_CACHE = ["first: miss", "second: hit", "visits: 42", "many: 2"]


def is_there(need):
    if need == "php:memcached":
        return b"memcached" in subprocess.run(["php", "-m"], capture_output=True).stdout.split()
    if need == "ruby:dalli":
        return subprocess.run(["ruby", "-e", "require 'dalli'"], capture_output=True).returncode == 0
    return pathlib.Path(need).exists() if need.startswith("/") else shutil.which(need) is not None


def lines_of(command, address, folder):
    environment = {**os.environ, **ENVIRONMENT, "C_PROGRAM": str(folder / "client")}
    done = subprocess.run([*command, address], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=90)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    return done.stdout.splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
def test_client(language, server, tmp_path):
    command, needs = LANGUAGES[language]
    for need in needs:
        if not is_there(need):
            pytest.skip(f"{language}: {need} is not here")
    address = "%s:%d" % server.address
    lines = lines_of(command, address, tmp_path)
    assert lines[:4] == WITH_CACHE
    assert lines[4].lower() == "deleted: true"
    server.end()
    assert lines_of(command, address, tmp_path) == ["first: down", "second: down"]
