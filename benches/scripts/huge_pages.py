#!/usr/bin/env python3
"""What huge pages (-L) and memory at the start (-o prefault) change with a large table, beside memcached.

    benches/scripts/huge_pages.py target/release/corecached target/release/corecached-compare

Starts one server after the other with one thread on CPU 0 and -m 11000, stores 27.5 million items with values of 300
bytes, which is 10 GB, and then asks for them at random, 16 pipelined gets at a time on 50 connections. Prints the time to
start and to fill, resident memory and how much of it is in huge pages, and the server's CPU time and the latency of a
batch: the median of several turns.

Values of 300 bytes: what huge pages save is a walk of the page tables for the index and one for the item, whatever its
size, so small items show it best; but 70 million of 100 bytes would take twice the time to store. Both servers hold all
of the items in the same -m, which a miss would show.

Needs 12 GB of memory and some 5 minutes; less with --megabytes.
"""

import argparse
import statistics
import subprocess
import time

from servers import Server

PORT = 22995
ITEMS_PER_MEGABYTE = 2500
VALUE_BYTES = 300
OURS = [[], ["-L"], ["-L", "-o", "prefault"]]
THEIRS = [[], ["-L"]]


def client(options, server, **given):
    """Runs the client; returns what it found."""
    command = ["taskset", "-c", "1", options.compare, "--port", str(PORT), "--server-pid", str(server.pid),
               "--keys", str(options.megabytes * ITEMS_PER_MEGABYTE), "--value-bytes", str(VALUE_BYTES)]
    for name, value in given.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    output = subprocess.run(command + ["--preload"] * (given.get("mode") == "preload"), check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return {name: float(value) for name, value in (word.split("=") for word in output.split())}


def settle(server):
    """Waits until memcached's hash table has grown."""
    while server.stats().get("hash_is_expanding", "0") != "0":
        time.sleep(0.1)


def measure(options, binary, extra):
    server = Server(binary, PORT, ["-m", str(options.megabytes), *extra])
    try:
        at_start = server.resident_mib()
        begun, cpu = time.monotonic(), server.cpu_seconds()
        client(options, server, mode="preload")
        filled, fill_cpu = time.monotonic() - begun, server.cpu_seconds() - cpu
        settle(server)
        turns = [client(options, server, get_ratio=1, depth=16, seconds=options.seconds, seed=turn)
                 for turn in range(options.turns)]
        figure = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
        items = options.megabytes * ITEMS_PER_MEGABYTE
        cells = [f"{server.name} {' '.join(extra)}".strip(), f"{server.started:.2f} s", f"{at_start:.0f}",
                 f"{filled:.1f} s", f"{fill_cpu / items * 1e6:.2f}", f"{server.resident_mib():.0f}",
                 f"{server.huge_mib():.0f}", f"{figure['cpu_us_per_request']:.3f}", f"{figure['user_us']:.3f}",
                 f"{figure['p50_us']:.0f}", f"{figure['p99_us']:.0f}", f"{figure['misses'] / figure['requests']:.2%}"]
        print("| " + " | ".join(cells) + " |", flush=True)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("compare", help="the client, target/release/corecached-compare")
    parser.add_argument("--megabytes", type=int, default=11000, help="-m of each server")
    parser.add_argument("--memcached", default="memcached", help="empty for none")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each turn")
    options = parser.parse_args()
    print(f"{options.megabytes * ITEMS_PER_MEGABYTE} items with values of {VALUE_BYTES} bytes, -m {options.megabytes}")
    print("| server | start | MiB then | fill | CPU us a set | MiB resident | in huge pages "
          "| CPU us a get | user | median us | p99 us | misses |")
    print("| --- " * 12 + "|")
    servers = [(options.binary, extra) for extra in OURS]
    servers += [(options.memcached, extra) for extra in THEIRS if options.memcached]
    for binary, extra in servers:
        measure(options, binary, extra)


main()
