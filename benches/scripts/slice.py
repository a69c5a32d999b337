#!/usr/bin/env python3
"""What a short slice of the scheduler (crates/server/src/process/slice.rs) changes for a server that shares its CPUs.

    benches/scripts/slice.py target/release/corecached target/release/loadgen
    benches/scripts/slice.py target/release/corecached target/release/loadgen --alone

Two shards on CPUs 0 and 1 and loadgen on both, too, open loop at two rates; in turns with the slice that the server asks
for, and with the one that everybody has, to which its threads are set back from here. Prints the latencies that loadgen
saw, and the server's context switches a second (of its own will, and preempted): the median of the turns.

With --alone one shard on CPU 0 and loadgen on CPU 1, closed loop: a short slice must change nothing there.
"""

import argparse
import ctypes
import json
import os
import platform
import statistics
import struct
import subprocess

import servers

PORT = 22996
# size, policy, flags, nice value, priority, runtime, deadline, period: struct sched_attr of linux/sched/types.h.
ATTRIBUTES = struct.Struct("=IIQiIQQQ")
SET_ATTRIBUTES, GET_ATTRIBUTES = {"x86_64": (314, 315), "aarch64": (274, 275)}[platform.machine()]


def threads(server):
    return [f"/proc/{server.pid}/task/{thread}" for thread in os.listdir(f"/proc/{server.pid}/task")]


def set_back(server):
    """Gives every thread of the server the slice that it had without asking."""
    system = ctypes.CDLL(None, use_errno=True)
    for thread in threads(server):
        buffer = ctypes.create_string_buffer(ATTRIBUTES.size)
        number = int(os.path.basename(thread))
        if system.syscall(GET_ATTRIBUTES, number, buffer, ATTRIBUTES.size, 0) == 0:
            values = list(ATTRIBUTES.unpack(buffer.raw))
            values[5] = 0
            if system.syscall(SET_ATTRIBUTES, number, ATTRIBUTES.pack(*values), 0) == 0:
                continue
        raise SystemExit(f"sched_setattr: {os.strerror(ctypes.get_errno())}")


def switches(server):
    """Context switches of all threads so far: voluntary ones, and preemptions."""
    total = [0, 0]
    for thread in threads(server):
        with open(f"{thread}/status") as status:
            found = [int(line.split()[1]) for line in status if "ctxt_switches" in line]
        total = [sum(pair) for pair in zip(total, found)]
    return total


def turn(options, shards, load, is_short):
    servers.CPU = "0,1" if shards == 2 else "0"
    server = servers.Server(options.server, PORT, ["-t", str(shards)])
    try:
        if not is_short:
            set_back(server)
        before, cpu = switches(server), server.cpu_seconds()
        command = [options.loadgen, "run", "-s", f"127.0.0.1:{PORT}", "-c", "50", "--mix", "get=95,set=5", *load,
                   "--cpus", "0,1" if shards == 2 else "1", "--duration", f"{options.seconds}s", "--json", "-", "--quiet"]
        run = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["run"]
        response, requests = run["all"]["response"], run["achieved"]
        switched = [(now - then) / options.seconds for then, now in zip(before, switches(server))]
        return {"p50, us": response["p50_ns"] / 1e3, "p99, us": response["p99_ns"] / 1e3, "requests/s": requests,
                "CPU, s": server.cpu_seconds() - cpu, "switches/s": switched[0], "preempted/s": switched[1]}
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server")
    parser.add_argument("loadgen")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    shards, loads = (1, [["--closed"]]) if options.alone else (2, [["--rate", "30000"], ["--rate", "60000"]])
    for load in loads:
        turns = [[turn(options, shards, load, is_short) for is_short in (False, True)] for _ in range(options.turns)]
        for name, found in zip(("plain", "short"), zip(*turns)):
            figures = (f"{key} {statistics.median(one[key] for one in found):,.1f}" for key in found[0])
            print(" ".join(load), f"{name} slice:", "; ".join(figures), flush=True)


main()
