"""scripts/compare --shards: what a request costs with so many shards, beside memcached with as many threads.

    for each number of shards            both servers start with -t N and the same keys
        for each turn
            for each load
                for each server          in alternating order, so that drift of the machine's speed hits all alike

Every load: 200 connections, 200,000 keys of 24 bytes, values of 100 bytes.

    text16    16 in flight, 95% gets, text protocol: Debian's memcached 1.6.18 sends each reply on its own
    meta16    the same by the meta protocol, where 1.6.18 gathers replies as newer ones do: the fair case
    depth1    1 in flight, 95% gets
    sets16    16 in flight, sets only, text protocol
    metasets  16 in flight, sets only, meta protocol
    hot       meta16, and half of all gets ask for one key; at 16 shards only
    zipf      meta16 by Zipf's law with exponent 1.1; at 16 shards only

A cost is the median over the turns, with the lowest and the highest turn. Ratios are taken turn by turn: to memcached
in the same turn, and of skewed to uniform keys of the same server in the same turn.
"""

import dataclasses
import json
import math
import pathlib
import statistics
import sys

import compare_plot
from compare_runs import GETS_AND_SETS, PEER, Case, Server, measure, preload

SKEW_SHARDS = 16
SHARDS_MAX = 256
OVERHEAD_SECONDS = 0.65  # of a run: connections, warm-up, exit
START_SECONDS = 2.0  # of a server: start and preload
SKEW_GOAL = 1.2
USER_GROWTH_GOAL = 1.3


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    title: str
    depth: int = 16
    mix: str = GETS_AND_SETS
    protocol: str = "text"
    key_dist: str = "uniform"
    is_skewed: bool = False  # at SKEW_SHARDS only, and beside meta16
    goals: dict = dataclasses.field(default_factory=dict)  # by shards: CPU of memcached's

    def case(self, shards):
        return Case(f"{self.name} at {shards}", self.title, goal=self.goals.get(shards, 0), threads=shards,
                    connections=200, depth=self.depth, mix=self.mix, keys=200_000, protocol=self.protocol,
                    key_dist=self.key_dist, pinned=shards == 1)


GOALS = {2: 0.45, 8: 0.60, 16: 0.65, 32: 0.80}
SET_GOALS = {2: 0.6, 16: 0.6}
LOADS = {load.name: load for load in [
    Load("text16", "16 in flight, 95% gets, text"),
    Load("meta16", "16 in flight, 95% gets, meta", protocol="meta", goals=GOALS),
    Load("hot", "meta16, half of all gets for one key", protocol="meta", key_dist="hot:0.5", is_skewed=True),
    Load("zipf", "meta16, keys by Zipf's law, exponent 1.1", protocol="meta", key_dist="zipf:1.1", is_skewed=True),
    Load("depth1", "1 in flight, 95% gets, text", depth=1, goals={16: 0.90}),
    Load("sets16", "16 in flight, sets only, text", mix="set=100"),
    Load("metasets", "16 in flight, sets only, meta", mix="set=100", protocol="meta", goals=SET_GOALS),
]}
UNIFORM = "meta16"


def parse(shards, only):
    """The numbers of shards (None if none were asked for) and the loads, from the command line."""
    names = [name for name in only.split(",") if name]
    unknown = [name for name in names if name not in LOADS]
    if unknown or not names:
        raise ValueError(f"--only takes loads of {', '.join(LOADS)}; not {', '.join(unknown) or 'nothing'}")
    if shards is None:
        return None, names
    words = shards.split(",")
    if not all(word.isdecimal() and 1 <= int(word) <= SHARDS_MAX for word in words):
        raise ValueError(f"--shards takes numbers from 1 to {SHARDS_MAX}, such as --shards 2,16; not {shards!r}")
    return sorted({int(word) for word in words}), names


def run(binaries, options, environment):
    """Measures, and writes table, plot and figures after each number of shards."""
    print(f"about {minutes(binaries, options):.0f} minutes", flush=True)
    figures = {}  # (load, shards, server) -> a dictionary for each turn
    conditions = (f"{environment}; -m {options.memory}; {options.turns} alternating turns of {options.seconds:g} s; 200 "
                  f"connections, 200,000 keys; client: "
                  f"{'benches/compare, lockstep' if options.lockstep else 'loadgen, closed loop'}.")
    for shards in options.shards:
        loads = [LOADS[name] for name in LOADS if name in options.only and runs_at(LOADS[name], shards)]
        if not loads:
            continue
        try:
            measure_at(shards, loads, binaries, options, figures)
        finally:
            write(figures, list(binaries), conditions, options)
    print("\n" + report(figures, list(binaries), conditions))


def runs_at(load, shards):
    return not load.is_skewed or shards == SKEW_SHARDS


def minutes(binaries, options):
    loads = sum(runs_at(LOADS[name], shards) for name in options.only for shards in options.shards)
    runs = len(binaries) * loads * options.turns * (options.seconds + OVERHEAD_SECONDS)
    return (runs + len(binaries) * len(options.shards) * START_SECONDS) / 60


def measure_at(shards, loads, binaries, options, figures):
    print(f"\n-t {shards}", flush=True)
    servers = []
    try:
        for name, binary in binaries.items():
            servers.append(Server(name, binary, loads[0].case(shards), options))
        for server in servers:
            preload(dataclasses.replace(loads[0].case(shards), protocol="text"), server, options)
        for turn in range(options.turns):
            for load in loads:
                for server in servers if turn % 2 == 0 else reversed(servers):
                    of_turn = measure(load.case(shards), server, options)
                    figures.setdefault((load.name, shards, server.name), []).append(of_turn)
                    print(f"  {load.name:<8} {server.name:<10} {of_turn['cpu_us_per_request']:8.3f} us/request (user "
                          f"{of_turn['user_us']:.3f})  {of_turn['requests_per_second']:9.0f} requests/s", flush=True)
    finally:
        for server in servers:
            server.stop()


def write(figures, names, conditions, options):
    if options.markdown:
        pathlib.Path(options.markdown).write_text(report(figures, names, conditions))
    if options.svg:
        pathlib.Path(options.svg).write_text(compare_plot.svg(panels(figures, names)))
    if options.json:
        rows = [{"load": load, "shards": shards, "server": server, "turns": turns}
                for (load, shards, server), turns in figures.items()]
        pathlib.Path(options.json).write_text(json.dumps({"conditions": conditions, "rows": rows}, indent=1) + "\n")


def report(figures, names, conditions):
    """All tables as Markdown."""
    parts = [conditions, "Medians, in brackets the lowest and the highest turn. A goal is that of the ratio."]
    for name, load in LOADS.items():
        rows = [row(figures, load, shards, server) for shards in shards_of(figures, name)
                for server in names if (name, shards, server) in figures]
        if rows:
            parts += [f"**{name}: {load.title}**", "\n".join([
                "| shards | server | CPU, us a request | of it user | to memcached | goal | requests/s | p99, us |",
                "| --- | --- | --- | --- | --- | --- | --- | --- |", *rows])]
    parts += [table for table in (skew(figures, names), growth(figures, names)) if table]
    return "\n\n".join(parts) + "\n"


def shards_of(figures, name):
    return sorted({shards for load, shards, _ in figures if load == name})


def row(figures, load, shards, server):
    turns = figures[load.name, shards, server]
    ratio, goal = "", ""
    peer = figures.get((load.name, shards, PEER))
    if server != PEER and peer:
        ratios = ratios_of(turns, peer)
        ratio = spread(ratios, 2)
        if shards in load.goals:
            reached = statistics.median(ratios) <= load.goals[shards]
            goal = f"{load.goals[shards]:.2f}" + ("" if reached else " (missed)")
    median = lambda figure: statistics.median(turn[figure] for turn in turns)
    cells = [str(shards), server, spread([turn["cpu_us_per_request"] for turn in turns], 2),
             spread([turn["user_us"] for turn in turns], 2), ratio, goal, f"{median('requests_per_second'):,.0f}",
             f"{median('p99_us'):,.0f}"]
    return "| " + " | ".join(cells) + " |"


def ratios_of(turns, others, figure="cpu_us_per_request"):
    """Turn by turn; a turn that was not finished on both sides is left out."""
    return [turn[figure] / other[figure] if other[figure] else float("nan") for turn, other in zip(turns, others)]


def spread(values, digits):
    values = known(values)
    if not values:
        return "-"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def skew(figures, names):
    """Skewed keys beside uniform ones of the same server, turn by turn."""
    rows = []
    for name, load in LOADS.items():
        for server in names if load.is_skewed else ():
            skewed = figures.get((name, SKEW_SHARDS, server))
            uniform = figures.get((UNIFORM, SKEW_SHARDS, server))
            if skewed and uniform:
                ratios = ratios_of(skewed, uniform)
                missed = "" if server == PEER or statistics.median(ratios) <= SKEW_GOAL else " (missed)"
                goal = "" if server == PEER else f"{SKEW_GOAL}{missed}"
                rows.append(f"| {load.title} | {server} | {spread(ratios, 2)} | {goal} |")
    if not rows:
        return ""
    return "\n".join([f"**Skewed keys at {SKEW_SHARDS} shards, CPU a request**", "",
                      "| keys | server | to uniform keys | goal |", "| --- | --- | --- | --- |", *rows])


def growth(figures, names):
    """User time at 16 shards to that at 2, medians."""
    rows = []
    for load in LOADS:
        for server in names:
            few, many = (figures.get((load, shards, server)) for shards in (2, 16))
            if few and many:
                user = lambda turns: statistics.median(known([turn["user_us"] for turn in turns]) or [math.nan])
                ratio = user(many) / user(few) if user(few) else float("nan")
                is_bound = server != PEER and load in ("text16", UNIFORM)
                goal = f"{USER_GROWTH_GOAL}{'' if ratio <= USER_GROWTH_GOAL else ' (missed)'}" if is_bound else ""
                rows.append(f"| {load} | {server} | {user(few):.2f} | {user(many):.2f} | {ratio:.2f} | {goal} |")
    if not rows:
        return ""
    return "\n".join(["**User time at 16 shards to that at 2**", "",
                      "| load | server | 2 shards, us | 16 shards, us | ratio | goal |",
                      "| --- | --- | --- | --- | --- | --- |", *rows])


def panels(figures, names):
    """What compare_plot draws: for each load that was measured at several numbers of shards, the lines of all servers."""
    found = []
    for name, load in LOADS.items():
        if len(shards_of(figures, name)) < 2:
            continue
        lines = []
        for server in names:
            of_server = [(shards, figures[name, shards, server]) for shards in shards_of(figures, name)
                         if (name, shards, server) in figures]
            for figure, kind in (("cpu_us_per_request", "all"), ("user_us", "user")):
                costs = [(shards, known([turn[figure] for turn in turns])) for shards, turns in of_server]
                points = [(shards, min(of), statistics.median(of), max(of)) for shards, of in costs if of]
                lines.append(compare_plot.Line(server, kind, points))
        found.append(compare_plot.Panel(load.title, lines))
    return found


def known(values):
    """With little CPU time loadgen does not tell user from system."""
    return [value for value in values if not math.isnan(value)]
