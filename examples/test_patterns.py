"""Each pattern runs as a program of its own; it ends with another status than 0 if what it claims is not so."""

import pathlib
import subprocess
import sys

import pytest

PATTERNS = pathlib.Path(__file__).resolve().parent / "patterns"
NOT_PROGRAMS = {"cache.py", "stage.py"}
PROGRAMS = sorted(path.stem for path in PATTERNS.glob("*.py") if path.name not in NOT_PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_pattern(program):
    command = [sys.executable, "-B", str(PATTERNS / f"{program}.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, f"{program} ended with {done.returncode}"
    assert "so it is:" in done.stdout, f"{program} claims nothing"
