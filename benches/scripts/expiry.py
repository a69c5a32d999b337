#!/usr/bin/env python3
"""How soon the memory of dead items is back, what that costs, and whether short-lived items push out long-lived ones.

    benches/scripts/expiry.py target/release/corecached --items 50000000

Two parts, one thread on CPU 0 each:

1. Stores items of which a fifth die at one moment and the others at another, 30 seconds later or more. From /proc and `stats`:
   seconds from the death until the dead are no longer counted and their memory is free, the server's CPU meanwhile
   (beside the seconds before, under the same light load of gets), and the latency of those gets.
2. Fills nine tenths of the memory with items that never die, then stores items that live 1 to 10 seconds for a minute.
   Counts evictions, and how many of the long-lived ones are still found; the same with memcached.

50 million items need 7 GB and some 6 minutes.
"""

import argparse
import random
import time

from servers import Server

PORT = 22997
VALUE_BYTES = 64
BATCH = 1000
FIFTH = 5
PAUSE_BETWEEN_DEATHS_MIN = 30
DEAD_PER_SECOND = 400_000
GETS_PER_SECOND = 1000
LIVING_KEYS = 1000
SHORT_LIVES = range(1, 11)


class Writer:
    """Sends sets of items by number, `BATCH` at once: text is made by one replacement in a template."""

    def __init__(self, server):
        self.connection = server.connect()
        self.templates = {}

    def _template(self, prefix, exptimes):
        name = (prefix, exptimes)
        if name not in self.templates:
            lines = (b"set %s-##########%03d 0 %d %d noreply\r\n%s\r\n" % (
                prefix, number, exptimes[number % len(exptimes)], VALUE_BYTES, b"v" * VALUE_BYTES)
                for number in range(BATCH))
            self.templates[name] = b"".join(lines)
        return self.templates[name]

    def batch(self, prefix, number, exptimes):
        """Items `number` * BATCH and following, with these exptimes in turn."""
        template = self._template(prefix, tuple(exptimes))
        self.connection.sendall(template.replace(b"##########", b"%010d" % number))

    def wait(self):
        """Returns once the server has taken everything."""
        self.connection.sendall(b"mn\r\n")
        if self.connection.recv(100) not in (b"MN\r\n", b"ERROR\r\n"):
            raise SystemExit("the server answered a set without reply")


class Watch:
    """A light load of gets on keys that stay, and samples of statistics beside it."""

    def __init__(self, server):
        self.server = server
        self.connection = server.connect()
        for number in range(LIVING_KEYS):
            self.connection.sendall(b"set living-%d 0 0 10\r\n0123456789\r\n" % number)
            assert self.connection.recv(100) == b"STORED\r\n"
        self.latencies = []
        self.lost = 0

    def get(self):
        begun = time.perf_counter()
        self.connection.sendall(b"get living-%d\r\n" % random.randrange(LIVING_KEYS))
        reply = b""
        while not reply.endswith(b"END\r\n"):
            reply += self.connection.recv(1000)
        self.latencies.append(time.perf_counter() - begun)
        self.lost += reply == b"END\r\n"

    def run(self, until, each_tenth=lambda: None):
        """Gets at a steady pace until a moment, or until `each_tenth` says that it is over."""
        self.latencies = []
        tick, samples = time.time(), time.time()
        while time.time() < until:
            self.get()
            if time.time() >= samples:
                samples += 0.1
                if each_tenth():
                    return
            tick = max(tick + 1 / GETS_PER_SECOND, time.time() - 0.1)
            time.sleep(max(0, tick - time.time()))

    def percentiles(self):
        ordered = sorted(self.latencies)
        at = lambda part: ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1e6
        return f"get p50 {at(0.5):.0f} us, p99 {at(0.99):.0f} us, max {ordered[-1] * 1e6:.0f} us"


def unused_bytes(server):
    """Memory below -m that holds no item."""
    page = {name: int(value) for name, value in server.stats("memory").items() if ":" not in name}
    return page["limit_maxbytes"] - page["total"] + page["free_chunks"] + page["free_pages"]


def pause_between_deaths(items):
    """Seconds: long enough for most of the items to be removed at a fifth of a core."""
    return max(PAUSE_BETWEEN_DEATHS_MIN, items // DEAD_PER_SECOND)


def load(server, writer, items):
    """Stores the items; returns when each of the two parts dies. The deaths lie behind the end of the storing."""
    batches = items // BATCH
    probe = min(200, batches)
    begun = time.time()
    for number in range(probe):
        writer.batch(b"probe", number, [1])
    writer.wait()
    # A large table takes longer than a small one.
    first = int(time.time() + 15 + 3 * (time.time() - begun) * batches / probe)
    deaths = (first, first + pause_between_deaths(items))
    begun = time.time()
    for number in range(batches):
        writer.batch(b"key", number, [deaths[0]] + [deaths[1]] * (FIFTH - 1))
    writer.wait()
    taken = time.time() - begun
    print(f"{items} items stored in {taken:.1f} s, {server.stats()['evictions']} evictions, "
          f"{server.resident_mib():.0f} MiB resident", flush=True)
    if time.time() > deaths[0] - 6:
        raise SystemExit("storing took longer than expected: the first have died")
    return deaths


def watch_death(server, watch, death, dead, pause, what):
    """One death: waits for it, and measures what follows."""
    watch.run(death - 5)
    cpu, begun = server.cpu_seconds(), time.time()
    watch.run(death - 0.5)
    usual = (server.cpu_seconds() - cpu) / (time.time() - begun)
    before = watch.percentiles()
    items, unused = int(server.stats()["curr_items"]), unused_bytes(server)
    survivors = items - dead
    samples = []

    def sample():
        left = int(server.stats()["curr_items"]) - survivors
        samples.append((time.time() - death, left, server.cpu_seconds()))
        return left <= dead // 1000

    watch.run(death + pause - 6, sample)
    print(f"{what}: {dead} of {items} items")
    # The first that are gone are seen some time after the moment itself: the server's seconds are whole ones.
    first = next((at for at in samples if at[1] < dead), samples[-1])
    for part in (0.5, 0.9, 0.99, 0.999):
        reached = next((at for at, left, _ in samples if left <= dead * (1 - part)), None)
        print(f"  {part:6.1%} gone {'never' if reached is None else f'{reached:.1f} s'} after their moment")
    seconds = max(samples[-1][0] - first[0], 0.1)
    share = (samples[-1][2] - first[2]) / seconds
    print(f"  meanwhile {share:.1%} of the core, {usual:.1%} before: "
          f"{(share - usual) * seconds / dead * 1e9:.0f} ns for a dead item")
    print(f"  {watch.percentiles()}; before: {before}")
    print(f"  unused memory {unused >> 20} MiB before, {unused_bytes(server) >> 20} MiB after, "
          f"{server.resident_mib():.0f} MiB resident; gets lost: {watch.lost}", flush=True)


def deaths(options):
    megabytes = options.items * 150 // 1_000_000 + 64
    server = Server(options.binary, PORT, ["-m", str(megabytes)])
    try:
        writer, watch = Writer(server), Watch(server)
        pause = pause_between_deaths(options.items)
        moments = load(server, writer, options.items)
        fifth = options.items // FIFTH
        watch_death(server, watch, moments[0], fifth, pause, "a fifth dies")
        watch_death(server, watch, moments[1], options.items - fifth, pause, "all others die")
    finally:
        server.stop()


def used_share(server, megabytes):
    """How full the memory is: ours says it, of memcached it is pages."""
    stats = server.stats("memory")
    if "total" in stats:
        return int(stats["total"]) / (megabytes << 20)
    return int(server.stats("slabs")["total_malloced"]) / (megabytes << 20)


def share_found(server, batches):
    """The share of a sample of the long-lived items that is found."""
    connection = server.connect()
    found = 0
    rounds = 300
    for _ in range(rounds):
        keys = (b" long-%010d%03d" % (random.randrange(batches), random.randrange(BATCH)) for _ in range(100))
        connection.sendall(b"get" + b"".join(keys) + b"\r\n")
        reply = b""
        while not reply.endswith(b"END\r\n"):
            reply += connection.recv(1 << 16)
        found += reply.count(b"VALUE ")
    return found / rounds / 100


def stream(options, binary):
    megabytes = options.stream_megabytes
    server = Server(binary, PORT, ["-m", str(megabytes)])
    try:
        writer, watch = Writer(server), Watch(server)
        batches = 0
        while batches % 20 or used_share(server, megabytes) < 0.9:
            writer.batch(b"long", batches, [0])
            batches += 1
            if batches % 20 == 0:
                writer.wait()
        long_lived = int(server.stats()["curr_items"])
        # Nine tenths hold the long-lived ones; what lives of the others, and a second's worth of dead, has a part of the rest.
        rate = long_lived / 9 * options.stream_part / (sum(SHORT_LIVES) / len(SHORT_LIVES) + 1)
        sent, cpu, begun = 0, server.cpu_seconds(), time.time()
        lives = list(SHORT_LIVES)

        def send():
            nonlocal sent
            while sent * BATCH < (time.time() - begun) * rate:
                writer.batch(b"short", sent, lives)
                sent += 1

        watch.run(begun + options.stream_seconds, send)
        writer.wait()
        share = (server.cpu_seconds() - cpu) / (time.time() - begun)
        stats = server.stats()
        print(f"{server.name}: {long_lived} long-lived items, then {sent * BATCH} that live {lives[0]} to {lives[-1]} s "
              f"({rate:.0f} a second)")
        print(f"  {stats['evictions']} evictions, {share_found(server, batches):.2%} of the long-lived found, "
              f"{share:.1%} of the core, {stats['curr_items']} items")
        print(f"  {watch.percentiles()}; gets lost: {watch.lost}", flush=True)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--items", type=int, default=50_000_000)
    parser.add_argument("--memcached", default="memcached", help="empty for none")
    parser.add_argument("--stream-megabytes", type=int, default=1000, help="-m of the second part")
    parser.add_argument("--stream-seconds", type=float, default=60)
    parser.add_argument("--stream-part", type=float, default=0.6, help="of the free tenth, for short-lived items")
    parser.add_argument("--parts", default="12")
    options = parser.parse_args()
    if "1" in options.parts:
        deaths(options)
    if "2" in options.parts:
        for binary in filter(None, [options.binary, options.memcached]):
            stream(options, binary)


main()
