"""Three nodes behind what exists: one dies, one is added. How many keys move, what clients see.

    client --(which node has the key?)--> node 1, node 2, node 3            (pymemcache, libmemcached)
    client --> proxy --(the same question)--> node 1, node 2, node 3        (twemproxy)

A node knows nothing of the others: who spreads the keys decides what a change of nodes costs.

    python3 cluster.py modulo | pymemcache | ketama | twemproxy
"""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "patterns"))

from stage import Server, check, free_port

KEYS = [f"user:{number}" for number in range(3000)]
# Clients and proxy leave a dead node alone for this long.
DEAD_SECONDS = 1
PATIENCE_SECONDS = 20
NUTCRACKER = "nutcracker"


class Seen:
    """What a client has seen while it asked for all keys once."""

    def __init__(self):
        self.hits = self.misses = self.errors = self.old = 0
        self.slowest_ms = 0.0

    def __str__(self):
        counts = f"{self.hits} hits, {self.misses} misses, {self.errors} errors"
        old = f", {self.old} of the hits are old values" if self.old else ""
        return f"{counts}{old}; the slowest took {self.slowest_ms:.0f} ms"


def pymemcache(nodes):
    """pymemcache's HashClient: rendezvous hashing; a node that fails is left out at once."""
    from pymemcache.client.hash import HashClient

    return HashClient(
        [node.address for node in nodes], connect_timeout=1, timeout=1, retry_attempts=0, dead_timeout=DEAD_SECONDS,
        # Without these a get behind a set waits 40 ms for the packet before it (Nagle's algorithm).
        default_noreply=False, no_delay=True,
    )


def libmemcached(nodes, **behaviors):
    import pylibmc

    names = ["%s:%d" % node.address for node in nodes]
    return pylibmc.Client(names, behaviors={
        "tcp_nodelay": True, "connect_timeout": 1000, "remove_failed": 1, "retry_timeout": DEAD_SECONDS,
        "dead_timeout": DEAD_SECONDS, **behaviors,
    })


def modulo(nodes):
    """libmemcached's default: the hash of the key modulo the number of nodes."""
    return libmemcached(nodes)


def ketama(nodes):
    """libmemcached with the ketama ring, which PHP, Ruby and Python share."""
    return libmemcached(nodes, ketama=True)


class Twemproxy:
    """Debian's nutcracker in front of the nodes; a plain client speaks to it."""

    CONFIGURATION = """\
pool:
  listen: 127.0.0.1:{port}
  hash: fnv1a_64
  distribution: ketama
  timeout: 1000
  preconnect: true
  auto_eject_hosts: true
  server_failure_limit: 1
  server_retry_timeout: {retry}
  servers:
{servers}
"""

    def __init__(self, nodes):
        from pymemcache.client.base import Client

        self.port = free_port()
        # A name for each node: the ring is made of names, so a node keeps its keys when its address changes.
        lines = [f"   - {host}:{port}:1 node{number}" for number, (host, port) in enumerate(node.address for node in nodes)]
        text = self.CONFIGURATION.format(port=self.port, retry=DEAD_SECONDS * 1000, servers="\n".join(lines))
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name) / "nutcracker.yml"
        path.write_text(text)
        command = [NUTCRACKER, "-c", str(path), "-s", str(free_port())]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = Client(("127.0.0.1", self.port), connect_timeout=2, timeout=2, default_noreply=False, no_delay=True)
        self.wait()

    def wait(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                self.client.get("any")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nutcracker does not answer")

    def get(self, key):
        return self.client.get(key)

    def set(self, key, value):
        return self.client.set(key, value)

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=10)
        self.folder.cleanup()


def ask_all(client, newest="1"):
    seen = Seen()
    for key in KEYS:
        begun = time.monotonic()
        try:
            value = client.get(key)
        except Exception:
            seen.errors += 1
        else:
            seen.misses += value is None
            seen.hits += value is not None
            seen.old += value is not None and text(value) != newest
        seen.slowest_ms = max(seen.slowest_ms, (time.monotonic() - begun) * 1000)
    return seen


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def fill(client):
    """Stores what is not there, as cache-aside would."""
    for key in KEYS:
        try:
            if client.get(key) is None:
                client.set(key, "1")
        except Exception:
            # One more miss.
            pass


def update(client, value):
    """All keys have a new value."""
    for key in KEYS:
        try:
            client.set(key, value)
        except Exception:
            pass


def say(what, seen):
    print(f"{what}: {seen}")
    return seen


def close(client):
    # pylibmc has none.
    if hasattr(client, "close"):
        client.close()


def run(name, make):
    nodes = [Server(["-m", "64"]) for _ in range(3)]
    spare = Server(["-m", "64"])
    client = make(nodes)
    try:
        fill(client)
        seen = {"full": say(f"{name}, three nodes", ask_all(client))}
        nodes[1].end()
        seen["died"] = say("one dies, first round", ask_all(client))
        fill(client)
        seen["refilled"] = say("second round", ask_all(client))
        bring_back(nodes[1], client)
        seen["returned"] = say("it is back, and empty", ask_all(client))
        update(client, "2")
        nodes[1].end()
        seen["again"] = say("all is updated, and it dies again", ask_all(client, "2"))
        bring_back(nodes[1], client)
        update(client, "3")
        close(client)
        client = make([*nodes, spare])
        seen["added"] = say("a fourth is added", ask_all(client, "3"))
        return seen
    finally:
        close(client)
        for node in [*nodes, spare]:
            if node.process.poll() is None:
                node.end()


def bring_back(node, client):
    """Starts the node, and waits until the client uses it again."""
    node.start()
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        for key in KEYS[::20]:
            try:
                client.get(key)
            except Exception:
                # That was the retry.
                pass
        if gets_of(node):
            return
        time.sleep(0.1)
    raise SystemExit("the client does not come back to the node")


def gets_of(node):
    from pymemcache.client.base import Client

    with contextlib.closing(Client(node.address)) as direct:
        return direct.stats()[b"cmd_get"]


WAYS = {"modulo": modulo, "pymemcache": pymemcache, "ketama": ketama, "twemproxy": Twemproxy}


def main(name):
    if name == "twemproxy" and shutil.which(NUTCRACKER) is None:
        print("skipped: no nutcracker (apt-get install nutcracker)")
        raise SystemExit(77)
    seen = run(name, WAYS[name])
    count = len(KEYS)
    check(seen["full"].hits == count, "all keys are there")
    check(seen["died"].hits > count * 0.5, "what lies on the other two nodes is still had")
    check(seen["returned"].hits > count * 0.5, "after its return its keys miss once")
    if name == "modulo":
        check(seen["refilled"].errors > count * 0.2, "a third of the keys are errors for as long as the node is away")
        check(seen["added"].hits < count * 0.4, "a fourth node moves three keys of four")
        return
    check(seen["died"].errors <= 3, "a few requests fail until the client or the proxy has noticed")
    check(seen["refilled"].hits > count * 0.95, "the keys of the dead node go to the others")
    check(seen["again"].old > count * 0.2, "and are found there when it dies again, as old as they are")
    check(count * 0.6 < seen["added"].hits < count * 0.9, "a fourth node takes about a quarter of the keys, no others move")


if __name__ == "__main__":
    main(sys.argv[1])
