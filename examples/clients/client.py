"""Python, pymemcache: python3 client.py HOST:PORT"""

import json
import sys

from pymemcache.client.base import PooledClient
from pymemcache.exceptions import MemcacheError

host, port = sys.argv[1].rsplit(":", 1)
cache = PooledClient((host, int(port)), connect_timeout=0.2, timeout=0.2, default_noreply=False)


def product(number):
    key = f"product:{number}"
    try:
        found = cache.get(key)
        if found is not None:
            return json.loads(found), "hit"
    except (OSError, MemcacheError):
        return from_database(number), "down"
    fresh = from_database(number)
    cache.set(key, json.dumps(fresh).encode(), expire=60)
    return fresh, "miss"


def from_database(number):
    return {"name": f"product {number}"}


for turn in ("first", "second"):
    answer, source = product(7)
    assert answer == {"name": "product 7"}
    print(f"{turn}: {source}")
if source == "hit":
    cache.set("visits", b"41")
    print("visits:", cache.incr("visits", 1))
    cache.set_many({"a": b"1", "b": b"2"}, expire=60)
    print("many:", len(cache.get_many(["a", "b", "none"])))
    print("deleted:", cache.delete("product:7"))
