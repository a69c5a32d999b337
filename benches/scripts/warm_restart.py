#!/usr/bin/env python3
"""How long a warm restart takes: fills a server with -e on a tmpfs, ends it by SIGUSR1, starts it again, three times.

    benches/scripts/warm_restart.py target/release/corecached 10000000

Prints the time from the signal to the end of the process, and from the start to the first answer. Needs 2.2 GB of
/dev/shm for 10 million items of 100 bytes.
"""

import os
import signal
import socket
import subprocess
import sys
import time

PORT = 22999
FILE = "/dev/shm/corecached-items"
VALUE = b"v" * 100
ITEMS_AT_ONCE = 1000


def start(binary, megabytes):
    """Starts the server; returns it, a connection and the seconds until it answered."""
    begun = time.time()
    command = [binary, "-u", "root", "-l", "127.0.0.1", "-p", str(PORT), "-t", "2", "-m", str(megabytes), "-e", FILE]
    server = subprocess.Popen(command)
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", PORT))
            connection.sendall(b"version\r\n")
            connection.recv(100)
            return server, connection, time.time() - begun
        except OSError:
            time.sleep(0.002)


def items(connection):
    connection.sendall(b"stats\r\n")
    reply = b""
    while not reply.endswith(b"END\r\n"):
        reply += connection.recv(65536)
    words = (line.split() for line in reply.split(b"\r\n"))
    return next(int(word[2]) for word in words if word[1:2] == [b"curr_items"])


def key(number):
    return b"key-%018d" % number


def fill(connection, count):
    for first in range(0, count, ITEMS_AT_ONCE):
        batch = range(first, min(count, first + ITEMS_AT_ONCE))
        connection.sendall(b"".join(b"set %s 0 0 100 noreply\r\n%s\r\n" % (key(n), VALUE) for n in batch))
    connection.sendall(b"mn\r\n")
    connection.recv(10)


def main():
    binary, count = sys.argv[1], int(sys.argv[2])
    megabytes = count * 300 // 1_000_000 + 64
    server, connection, _ = start(binary, megabytes)
    try:
        fill(connection, count)
        print(f"{items(connection)} items of {len(key(0))} + {len(VALUE)} bytes")
        for turn in range(3):
            begun = time.time()
            server.send_signal(signal.SIGUSR1)
            server.wait()
            ended = time.time() - begun
            server, connection, started = start(binary, megabytes)
            print(f"end {ended:.3f} s, start {started:.3f} s, {items(connection)} items")
    finally:
        server.terminate()
        server.wait()
        os.remove(FILE)
        os.remove(FILE + ".meta")


main()
