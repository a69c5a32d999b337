"""Each way to spread keys over nodes, as a program of its own; see cluster/cluster.py."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parent / "cluster" / "cluster.py"
SKIPPED = 77


@pytest.mark.parametrize("way", ["modulo", "pymemcache", "ketama", "twemproxy"])
def test_cluster(way):
    done = subprocess.run([sys.executable, "-B", str(PROGRAM), way], capture_output=True, text=True, timeout=100)
    print(done.stdout, done.stderr)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0
