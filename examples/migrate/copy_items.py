"""Copies all items of one server to another, for a change of servers that is not to begin cold; both ways between memcached and corecached.

    lru_crawler metadump all  -->  mg KEY v f t  -->  ms KEY n T F ME
         the source's keys         the source          the target: add, so that what is newer there stays

    python3 copy_items.py SOURCE:PORT TARGET:PORT

Values, client flags and times to live are kept; cas uniques are not. The source must allow dumps (no -X). What applications store in
the source after the dump has begun is copied if its key was there before; so let applications write to the target first.
"""

import socket
import sys
import urllib.parse

BATCH = 200


class Server:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.stream = socket.create_connection((host, int(port)), timeout=30).makefile("rwb")

    def send(self, lines):
        self.stream.write(b"".join(lines))
        self.stream.flush()

    def line(self):
        line = self.stream.readline()
        if not line:
            raise ConnectionError("the server has closed the connection")
        return line.rstrip(b"\r\n")


def keys_of(server):
    """All keys, as they are; a key with control bytes in it comes percent-encoded."""
    server.send([b"lru_crawler metadump all\r\n"])
    while (line := server.line()) != b"END":
        # Newer servers say OK before the first key.
        if line == b"OK":
            continue
        if not line.startswith(b"key="):
            raise SystemExit(f"the source does not list its keys: {line.decode()}")
        yield urllib.parse.unquote_to_bytes(line.split(b" ", 1)[0][4:])


def fetch(server, keys):
    """(key, value, flags, seconds or -1) of those that are still there."""
    server.send([b"mg %s v f t\r\n" % key for key in keys])
    for key in keys:
        words = server.line().split(b" ")
        if words[0] == b"VA":
            value = server.stream.read(int(words[1]) + 2)[:-2]
            by_letter = {word[:1]: word[1:] for word in words[2:]}
            yield key, value, by_letter[b"f"], int(by_letter[b"t"])


def store(server, items):
    """How many were stored; the others were there."""
    lines = []
    for key, value, flags, seconds in items:
        until = b"" if seconds < 0 else b" T%d" % max(seconds, 1)
        lines.append(b"ms %s %d F%s ME%s\r\n%s\r\n" % (key, len(value), flags, until, value))
    server.send(lines)
    return sum(server.line().startswith(b"HD") for _ in items)


def copy(source, target):
    listing = Server(source)
    reading, writing = Server(source), Server(target)
    keys = list(keys_of(listing))
    stored = 0
    for begin in range(0, len(keys), BATCH):
        stored += store(writing, list(fetch(reading, keys[begin : begin + BATCH])))
    return len(keys), stored


if __name__ == "__main__":
    listed, stored = copy(sys.argv[1], sys.argv[2])
    print(f"{listed} keys listed, {stored} items copied")
