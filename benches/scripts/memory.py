#!/usr/bin/env python3
"""How many items fit in the same -m: fills two servers with new keys of one size, past the first eviction.

    benches/scripts/memory.py target/release/corecached [memcached]

Prints the items held before the first eviction (but for the last 2,000), those held after 200,000 more sets, and the resident memory then.
"""

import os
import random
import socket
import subprocess
import sys
import time

PORT = 22993
SETS_AT_ONCE = 2000
LATER = 200_000
SIZES = {
    "10": lambda: 10,
    "100": lambda: 100,
    "300": lambda: 300,
    "1000": lambda: 1000,
    "Pareto": lambda: min(20_000, int(40 * random.paretovariate(1.2))),
}


class Server:
    def __init__(self, binary):
        command = [binary, "-u", "root", "-l", "127.0.0.1", "-p", str(PORT), "-U", "0", "-t", "1", "-m", "256"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.number = 0
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", PORT))
                return
            except OSError:
                time.sleep(0.01)

    def fill(self, size):
        requests = []
        for self.number in range(self.number, self.number + SETS_AT_ONCE):
            length = size()
            requests.append(b"set key-%020d 0 0 %d noreply\r\n%s\r\n" % (self.number, length, b"v" * length))
        self.number += 1
        self.connection.sendall(b"".join(requests))

    def stats(self):
        self.connection.sendall(b"stats\r\n")
        reply = b""
        while not reply.endswith(b"END\r\n"):
            reply += self.connection.recv(65536)
        return {words[1].decode(): words[2].decode() for words in map(bytes.split, reply.split(b"\r\n")) if len(words) == 3}

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measure(binary, name):
    random.seed(1)
    server = Server(binary)
    try:
        first = 0
        while True:
            server.fill(SIZES[name])
            stats = server.stats()
            if int(stats["evictions"]) > 0:
                break
            first = stats["curr_items"]
        for _ in range(LATER // SETS_AT_ONCE):
            server.fill(SIZES[name])
        later = server.stats()["curr_items"]
        print(f"{name:8} {os.path.basename(binary):12} {first:>9} before the first eviction, {later:>9} later, "
              f"{server.resident_mib():.1f} MiB resident", flush=True)
    finally:
        server.stop()


def main():
    binaries = [sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "memcached"]
    for name in SIZES:
        for binary in binaries:
            measure(binary, name)


main()
