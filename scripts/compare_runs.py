"""What the comparisons of scripts/compare share: a server process of its own port, and runs of a client against it.

    Case  -->  Server (one process each)  -->  preload, then turns of measure()  -->  figures by name

Client: loadgen, or with --lockstep the small client of benches/compare. Both give the same names to the same figures.
"""

import json
import os
import pathlib
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
CPU_PER_REQUEST = "server CPU per request, us"
PEER = "memcached"
GETS_AND_SETS = "get=95,set=5"


@dataclass
class Case:
    name: str
    title: str
    goal: float
    threads: int = 1
    connections: int = 50
    depth: int = 1
    mix: str = GETS_AND_SETS
    keys: int = 1_000_000
    value_bytes: int = 100
    figure: str = "cpu_us_per_request"
    unit: str = CPU_PER_REQUEST
    absolute: bool = False  # the goal bounds our figure itself, not the ratio
    protocol: str = "text"  # the binary one by loadgen only
    key_dist: str = ""  # uniform, zipf:EXPONENT or hot:SHARE; empty: as the command line says
    server_options: tuple = ()
    # Server on CPU 0, client on CPU 1. With two shards on two CPUs the client has to share them.
    pinned: bool = True

    def cpus(self):
        """The CPUs of the server; where it has all, the client shares them."""
        return range(1 if self.pinned else min(self.threads, os.cpu_count()))


def build(package):
    print(f"building {package} (release)", flush=True)
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", package], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "release" / package)


def find_memcached():
    found = shutil.which("memcached")
    if not found:
        sys.exit("memcached is not installed: apt-get install memcached, or name one with --memcached")
    return found


def environment(binaries):
    versions = {name: subprocess.run([shlex.split(path)[0], "-V"], capture_output=True, text=True, timeout=10).stdout.split("\n")[0]
                for name, path in binaries.items()}
    return (f"{os.cpu_count()} CPUs ({cpu_model()}), Linux {platform.release()}; "
            + "; ".join(f"{name}: {version}" for name, version in versions.items()))


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


class Server:
    """One server process on a free port of the loopback interface."""

    def __init__(self, name, binary, case, options):
        self.name = name
        self.port = free_port()
        cpus = ",".join(str(cpu) for cpu in case.cpus())
        command = ["taskset", "-c", cpus, *shlex.split(binary), "-l", "127.0.0.1", "-p", str(self.port), "-U", "0",
                   "-t", str(case.threads), "-m", str(options.memory), "-c", "4096"]
        command += case.server_options
        if os.geteuid() == 0:
            command += ["-u", "root"]
        if name == "corecached":
            command += options.server_option
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended with status {self.process.returncode}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"version\r\n")
                    if connection.recv(64).startswith(b"VERSION"):
                        return
            except OSError:
                time.sleep(0.02)
        self.stop()
        sys.exit(f"{self.name} does not answer on port {self.port}")

    def cpu_seconds(self):
        """User and system time of all its threads, by the scheduler's clock."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within 10 s of SIGTERM", file=sys.stderr)
            self.process.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def loadgen(case, server, options, load):
    """One run of loadgen; returns the JSON report's `run`."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [options.client, "run", "--server", f"127.0.0.1:{server.port}", "--server-pid",
                   str(server.process.pid), "--closed", "--keys", str(case.keys), "--value-size",
                   str(case.value_bytes), "--key-dist", loadgen_keys(case, options), "--protocol", case.protocol,
                   "--json", report.name] + load
        if os.cpu_count() > 1:
            # loadgen pins its workers: where the servers use all CPUs, so does the client.
            command += ["--cpus", "1" if case.pinned else ",".join(str(cpu) for cpu in case.cpus())]
        result = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 120)
        if result.returncode != 0:
            sys.exit(f"{case.name} on {server.name}: {result.stderr.strip() or result.stdout.strip()}")
        return json.load(report)["run"]


def loadgen_keys(case, options):
    """The keys of a case as loadgen names them; its hot key has its share of sets, too."""
    law, _, number = (case.key_dist or options.key_dist).partition(":")
    if law == "hot":
        return f"hotspot:{1 / case.keys:.9f}:{float(number):.9f}"
    return case.key_dist or options.key_dist


def lockstep_mix(case, options):
    """The mix and the keys of a case, as arguments of the client of benches/compare."""
    law, _, number = (case.key_dist or options.key_dist).partition(":")
    arguments = [f"--protocol={case.protocol}", f"--distribution={law}"]
    if number:
        arguments.append(f"--{'hot-share' if law == 'hot' else 'zipf-exponent'}={number}")
    shares = dict(share.split("=") for share in case.mix.split(","))
    multiget = [verb.partition(":")[2] for verb in shares if verb.startswith("multiget:")]
    if multiget:
        return arguments + [f"--multiget={multiget[0]}"]
    gets, sets = (float(shares.get(verb, 0)) for verb in ("get", "set"))
    return arguments + [f"--get-ratio={gets / (gets + sets)}"]


def lockstep(case, server, options, load):
    """One run of the client of benches/compare; returns its figures."""
    command = [options.client, f"--port={server.port}", f"--server-pid={server.process.pid}", f"--keys={case.keys}",
               f"--value-bytes={case.value_bytes}", f"--seconds={options.seconds}"] + load
    if case.pinned and os.cpu_count() > 1:
        command.append("--cpu=1")
    result = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 120)
    if result.returncode != 0:
        sys.exit(f"{case.name} on {server.name}: {result.stderr.strip()}")
    return {key: float(value) for key, value in (word.split("=") for word in result.stdout.split())}


def preload(case, server, options):
    if options.lockstep:
        lockstep(case, server, options, ["--mode=preload", "--preload"])
        return
    loadgen(case, server, options, ["--mix", "get", "--duration", "100ms", "--warmup", "0s"])


def measure(case, server, options):
    if case.figure == "busy_percent":
        return measure_idle(case, server, options)
    if options.lockstep:
        figures = lockstep(case, server, options, [f"--connections={case.connections}", f"--depth={case.depth}",
                                                   *lockstep_mix(case, options)])
        warn_of_misses(server, int(figures["misses"]))
        return figures
    run = loadgen(case, server, options, [
        "--no-preload", "--mix", case.mix, "--connections", str(case.connections), "--depth", str(case.depth),
        "--duration", f"{options.seconds:g}s", "--warmup", "500ms"])
    service, of_server = run["all"]["service"], run["server"]
    warn_of_misses(server, run["all"]["misses"])
    # With little CPU time loadgen does not tell user from system.
    known = lambda figure: float("nan") if figure is None else figure
    return {
        "user_us": known(of_server["user_us_per_request"]),
        "system_us": known(of_server["system_us_per_request"]),
        "cpu_us_per_request": of_server["cpu_us_per_request"],
        "client_us": run["client"]["cpu_us_per_request"],
        "busy_percent": 100 * of_server["cpus_busy"],
        "requests_per_second": run["achieved"],
        "p50_us": service["p50_ns"] / 1000,
        "p99_us": service["p99_ns"] / 1000,
    }


def warn_of_misses(server, misses):
    if misses:
        print(f"  warning: {server.name} missed {misses} keys", file=sys.stderr)


def measure_idle(case, server, options):
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(case.connections)]
    time.sleep(1)
    before, begin = server.cpu_seconds(), time.monotonic()
    time.sleep(options.seconds)
    busy = (server.cpu_seconds() - before) / (time.monotonic() - begin)
    for connection in connections:
        connection.close()
    return {"busy_percent": 100 * busy}
