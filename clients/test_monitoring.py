"""What monitoring agents do with `stats`: Prometheus' memcached_exporter, memcached-tool, dashboards.

The exporter is a Go program that no package here brings; its rules are written down instead. It asks for `stats`, `stats
slabs`, `stats items` and `stats settings`, takes the lines apart as below, and every metric that it exports needs its
statistic to be there and to be a number.
"""

import re
import socket

import pytest

# Metrics of the exporter, by the statistic that they come from.
GENERAL = """
    uptime time max_connections curr_connections total_connections rejected_connections connection_structures
    response_obj_oom response_obj_count response_obj_bytes read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom
    reserved_fds cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed delete_misses
    delete_hits incr_misses incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses
    store_too_large store_no_memory auth_cmds auth_errors bytes_read bytes_written limit_maxbytes accepting_conns
    listen_disabled_num time_in_listen_disabled_us threads conn_yields hash_power_level hash_bytes hash_is_expanding
    slab_reassign_rescues slab_reassign_chunk_rescues slab_reassign_inline_reclaim slab_reassign_busy_items
    slab_reassign_busy_deletes slab_reassign_running slabs_moved lru_crawler_running lru_crawler_starts
    lru_maintainer_juggles malloc_fails bytes curr_items total_items slab_global_page_pool expired_unfetched
    evicted_unfetched evicted_active evictions reclaimed crawler_reclaimed crawler_items_checked lrutail_reflocked
    moves_to_cold moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped rusage_user rusage_system
""".split()
ITEMS = """
    number number_hot number_warm number_cold age age_hot age_warm mem_requested evicted evicted_nonzero
    evicted_time outofmemory tailrepairs reclaimed expired_unfetched evicted_unfetched evicted_active crawler_reclaimed
    crawler_items_checked lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru direct_reclaims hits_to_hot
    hits_to_warm hits_to_cold hits_to_temp
""".split()
SLABS = """
    chunk_size chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end get_hits cmd_set
    delete_hits incr_hits decr_hits cas_hits cas_badval touch_hits
""".split()
# The exporter reads these as numbers, or as yes and no.
SETTINGS = """
    maxbytes maxconns tcpport udpport verbosity oldest growth_factor chunk_size num_threads num_threads_per_udp
    reqs_per_event tcp_backlog item_size_max hashpower_init slab_automove slab_automove_ratio slab_automove_window
    slab_chunk_max lru_crawler_sleep lru_crawler_tocrawl tail_repair_time hot_lru_pct warm_lru_pct hot_max_factor
    warm_max_factor temporary_ttl idle_timeout watcher_logbuf_size worker_logbuf_size
""".split()
SWITCHES = """
    shutdown_command detail_enabled cas_enabled auth_enabled_sasl maxconns_fast slab_reassign lru_crawler flush_enabled
    dump_enabled lru_maintainer_thread lru_segmented temp_lru track_sizes
""".split()


def ask(port, command):
    """All that comes back, as lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(command + b"\r\nquit\r\n")
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    return reply.decode().split("\r\n")[:-1]


def stats(port, subcommand=""):
    """Names and values, as every client library takes the lines apart."""
    lines = ask(port, f"stats {subcommand}".strip().encode())
    assert lines[-1] == "END", lines
    parsed = [re.fullmatch(r"STAT (\S+) (.*)", line) for line in lines[:-1]]
    assert all(parsed), lines
    names = [match[1] for match in parsed]
    assert len(set(names)) == len(names), "a name is there twice"
    return {match[1]: match[2] for match in parsed}


def by_class(lines, pattern):
    """Numbers per slab class; every name must be of the form that the exporter looks for."""
    classes = {}
    for name, value in lines.items():
        match = re.fullmatch(pattern, name)
        assert match, name
        classes.setdefault(int(match[1]), {})[match[2]] = int(value)
    return classes


@pytest.fixture
def port(server):
    """A server with items of several sizes, some of them asked for."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        for number in range(200):
            size = [10, 100, 1000, 20_000][number % 4]
            connection.sendall(b"set key-%d 0 0 %d noreply\r\n%s\r\n" % (number, size, b"x" * size))
        connection.sendall(b"get key-1\r\nget none\r\nincr none 1\r\ntouch key-2 0\r\nversion\r\n")
        reply = b""
        while b"VERSION" not in reply:
            reply += connection.recv(65536)
    return server.port


def test_general_statistics_are_numbers(port):
    values = stats(port)
    for name in GENERAL:
        assert float(values[name]) >= 0, name
    assert re.fullmatch(r"\d+\.\d+\.\d+", values["version"])
    assert int(values["curr_items"]) == 200
    assert int(values["get_hits"]) + int(values["get_misses"]) == int(values["cmd_get"])
    assert int(values["bytes"]) <= int(values["limit_maxbytes"])


def test_items_and_slabs_speak_of_the_same_classes(port):
    general = stats(port)
    items = by_class(stats(port, "items"), r"items:(\d+):(\w+)")
    slabs = stats(port, "slabs")
    active, malloced = int(slabs.pop("active_slabs")), int(slabs.pop("total_malloced"))
    slabs = by_class(slabs, r"(\d+):(\w+)")
    assert set(items) <= set(slabs) and active == len(slabs)
    for values in items.values():
        assert set(values) >= set(ITEMS)
        lists = sum(values.get(f"number_{name}", 0) for name in ["hot", "warm", "cold", "temp"])
        assert lists == values["number"]
    for values in slabs.values():
        assert set(values) == set(SLABS)
        assert values["used_chunks"] + values["free_chunks"] == values["total_chunks"]
        # A class of ours stands for several of neighbouring sizes; the length of a chunk is that of the largest.
        assert values["total_chunks"] >= values["total_pages"] * values["chunks_per_page"]
    assert sum(values["number"] for values in items.values()) == int(general["curr_items"])
    assert sum(values["get_hits"] for values in slabs.values()) == int(general["get_hits"])
    assert sum(values["cmd_set"] for values in slabs.values()) == int(general["cmd_set"])
    assert 0 < malloced <= int(general["limit_maxbytes"])
    assert sum(values["mem_requested"] for values in items.values()) == int(general["bytes"])


def test_settings_are_numbers_and_switches(port):
    values = stats(port, "settings")
    for name in SETTINGS:
        float(values[name])
    for name in SWITCHES:
        assert values[name] in ("yes", "no"), name
    assert int(values["maxbytes"]) == int(stats(port)["limit_maxbytes"])
    assert int(values["maxconns"]) == int(stats(port)["max_connections"])


def test_sizes_are_disabled_or_a_histogram(port):
    values = stats(port, "sizes")
    assert values == {"sizes_status": "disabled"} or all(int(size) % 32 == 0 for size in values)


def test_connections_are_grouped(port):
    groups = {}
    for name, value in stats(port, "conns").items():
        number, field = name.split(":")
        groups.setdefault(int(number), {})[field] = value
    states = [group["state"] for group in groups.values()]
    assert states.count("conn_parse_cmd") == 1 and "conn_listening" in states
    for group in groups.values():
        assert group["addr"].startswith(("tcp:", "tcp6:", "unix:", "udp:"))
        assert int(group["secs_since_last_cmd"]) >= 0
