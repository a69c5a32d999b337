"""meta-memcache: a client that speaks meta commands only, with leases, stale items and recaching."""

import socket

import pytest
from meta_memcache import CacheClient, Key, RequestFlags, ServerAddress, SetMode, Success, connection_pool_factory_builder
from meta_memcache.configuration import LeasePolicy, RecachePolicy, StalePolicy


@pytest.fixture
def client(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"mg none\r\n")
        if b"not supported yet" in connection.recv(100):
            pytest.skip("this server has no meta commands yet")
    address = ServerAddress("127.0.0.1", server.port)
    pools = connection_pool_factory_builder()
    return CacheClient.cache_client_from_servers(servers=[address], connection_pool_factory_fn=pools)


def test_set_and_get(client):
    assert client.get("key") is None
    for value in [b"bytes", "text", 17, [1, {"a": None}], b"\x00\r\nEN\r\nVA 2\r\n\xff", b"", b"x" * 100_000]:
        assert client.set("key", value, ttl=100)
        assert client.get("key") == value
    assert client.get_typed("key", bytes) == b"x" * 100_000


def test_modes(client):
    assert not client.set("key", b"1", ttl=100, set_mode=SetMode.REPLACE)
    assert not client.set("key", b"1", ttl=100, set_mode=SetMode.APPEND)
    assert client.set("key", b"1", ttl=100, set_mode=SetMode.ADD)
    assert not client.set("key", b"x", ttl=100, set_mode=SetMode.ADD)
    assert client.set("key", b"2", ttl=100, set_mode=SetMode.APPEND)
    assert client.set("key", b"0", ttl=100, set_mode=SetMode.PREPEND)
    assert client.get("key") == b"012"


def test_cas(client):
    assert client.get_cas("key") == (None, None)
    client.set("key", "one", ttl=100)
    value, cas = client.get_cas("key")
    assert value == "one"
    assert client.set("key", "two", ttl=100, cas_token=cas)
    assert not client.set("key", "three", ttl=100, cas_token=cas)
    assert not client.delete("key", cas_token=cas)
    assert client.get("key") == "two"


def test_delete_and_invalidate(client):
    assert not client.delete("key")
    assert client.invalidate("key")
    client.set("key", "value", ttl=100)
    assert client.delete("key")
    assert client.get("key") is None


def test_touch(client):
    client.set("key", "value", ttl=100)
    assert client.touch("key", ttl=1000)
    assert not client.touch("none", ttl=1000)
    value = client.meta_get(Key("key"), flags=RequestFlags(return_value=True, return_ttl=True))
    assert 990 <= value.flags.ttl <= 1000


def test_numbers(client):
    assert not client.delta("n", delta=1)
    assert client.delta_initialize_and_get("n", delta=5, initial_value=10, initial_ttl=100) == 10
    assert client.delta_and_get("n", delta=5) == 15
    assert client.delta_and_get("n", delta=-20) == 0
    assert client.delta("n", delta=3)
    # The value keeps the length that it had once, with spaces behind the number.
    assert int(client.get("n")) == 3


def test_many_keys(client):
    for number in range(100):
        client.set(f"key-{number}", number, ttl=100, no_reply=True)
    found = client.multi_get([Key(f"key-{number}") for number in range(110)])
    assert [found[Key(f"key-{number}")] for number in range(100)] == list(range(100))
    assert all(found[Key(f"key-{number}")] is None for number in range(100, 110))


def test_long_and_binary_keys_are_hashed_or_encoded(client):
    for key in [Key("k" * 400), Key("with spaces and \u00fcmlauts")]:
        assert client.set(key, "value", ttl=100)
        assert client.get(key) == "value"


def test_leases(client):
    lease = LeasePolicy(ttl=10, miss_retries=3)
    # The first one gets the lease and is to fill the item; the next one waits for it, here in vain.
    assert client.get_or_lease("key", lease_policy=lease) is None
    waited = []
    assert client.get_or_lease("key", lease_policy=lease, lease_wait_fn=waited.append) is None
    assert waited
    client.set("key", "filled", ttl=100)
    assert client.get_or_lease("key", lease_policy=lease) == "filled"


def test_stale_items(client):
    client.set("key", "old", ttl=100)
    assert client.delete("key", stale_policy=StalePolicy(mark_stale_on_deletion_ttl=30))
    # One client is told to fetch it anew, the others go on with the old value.
    assert client.get("key") is None
    assert client.get("key") == "old"
    assert client.set("key", "new", ttl=100)
    assert client.get("key") == "new"


def test_recache(client):
    client.set("key", "value", ttl=20)
    policy = RecachePolicy(ttl=30)
    assert client.get("key", recache_policy=policy) is None
    assert client.get("key", recache_policy=policy) == "value"


def test_meta_flags_come_back(client):
    assert isinstance(client.meta_set(Key("key"), b"value", flags=RequestFlags(cache_ttl=50)), Success)
    flags = RequestFlags(return_value=True, return_ttl=True, return_cas_token=True, return_size=True,
                         return_last_access=True, return_fetched=True, return_client_flag=True, return_key=True,
                         opaque=b"mark")
    value = client.meta_get(Key("key"), flags=flags)
    assert (value.value, value.size) == (b"value", 5)
    assert 45 <= value.flags.ttl <= 50
    assert value.flags.cas_token > 0
    assert value.flags.opaque == b"mark"
    assert not value.flags.fetched
    assert client.meta_get(Key("key"), flags=flags).flags.fetched
