"""Server CPU per get, by protocol and in turns: connections that each send a batch of gets and read the replies whole.

    benches/scripts/binary_gets.py target/release/corecached

The server runs on CPU 0, this client on CPU 1. Every turn measures text GET, binary GET and binary GETKQ one after the
other, so that a machine that changes its speed changes it for all three.
"""

import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import time

PORT = 21777
BATCH = 64
CONNECTIONS = 16
ROUNDS = 400
TURNS = 11
KEYS = [b"key-%020d" % number for number in range(100_000)]
VALUE = b"x" * 100


def text(key):
    """A request and the length of its reply."""
    return b"get %s\r\n" % key, len(b"VALUE %s 0 100\r\n" % key) + len(VALUE) + 2 + len(b"END\r\n")


def binary(opcode, with_key):
    def make(key):
        header = struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), 0, 0, 0, len(key), 1, 0)
        return header + key, 24 + 4 + len(VALUE) + (len(key) if with_key else 0)

    return make


KINDS = {"text get": text, "binary GET": binary(0x00, False), "binary GETKQ": binary(0x0D, True)}


class Server:
    def __init__(self, program):
        command = [program, "-l", "127.0.0.1", "-p", str(PORT), "-t", "1", "-m", "256"]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        self.process = subprocess.Popen(command)
        time.sleep(1)
        for task in self.tasks():
            os.sched_setaffinity(int(task), {0})

    def tasks(self):
        return os.listdir(f"/proc/{self.process.pid}/task")

    def cpu_ns(self):
        paths = [f"/proc/{self.process.pid}/task/{task}/schedstat" for task in self.tasks()]
        return sum(int(open(path).read().split()[0]) for path in paths)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def connect():
    return socket.create_connection(("127.0.0.1", PORT))


def fill():
    connection = connect()
    for at in range(0, len(KEYS), 1000):
        sets = [b"set %s 0 0 %d noreply\r\n%s\r\n" % (key, len(VALUE), VALUE) for key in KEYS[at : at + 1000]]
        connection.sendall(b"".join(sets))
    connection.sendall(b"mn\r\n")
    assert connection.recv(9) == b"MN\r\n"


def prepare(make):
    batches = []
    for _ in range(200):
        parts = [make(key) for key in random.choices(KEYS, k=BATCH)]
        batches.append((b"".join(request for request, _ in parts), sum(length for _, length in parts)))
    return batches, [connect() for _ in range(CONNECTIONS)]


def turn(server, batches, connections):
    before = server.cpu_ns()
    for number in range(ROUNDS):
        missing = []
        for index, connection in enumerate(connections):
            request, length = batches[(number * CONNECTIONS + index) % len(batches)]
            connection.sendall(request)
            missing.append(length)
        for connection, length in zip(connections, missing):
            while length:
                length -= len(connection.recv(min(length, 1 << 16)))
    return (server.cpu_ns() - before) / (ROUNDS * CONNECTIONS * BATCH)


def main():
    server = Server(sys.argv[1])
    os.sched_setaffinity(0, {1})
    random.seed(1)
    fill()
    prepared = {name: prepare(make) for name, make in KINDS.items()}
    results = {name: [] for name in KINDS}
    for _ in range(TURNS):
        for name in KINDS:
            results[name].append(turn(server, *prepared[name]))
    base = results["text get"]
    for name, result in results.items():
        ratios = [one / other for one, other in zip(result, base)]
        print(
            f"{name}: median {statistics.median(result):.0f} ns, lowest {min(result):.0f} ns; to text: median"
            f" {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}),"
            f" lowest to lowest {min(result) / min(base):.2f}"
        )
    server.stop()


main()
