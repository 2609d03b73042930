"""Measure this server beside its peers, in turn within one run, and judge the budgets.

    python bench/run.py [--quick] [--rounds N] [--only KEY ...]

Servers are pinned to one core and the load generator to the other; figures are medians over the rounds,
judged as ratios to the best peer of the same run. After each scenario a convergence check joins the
session twice. Writes `report.md`, `report.json` and plots to `bench/results`. Exits with 1 on a miss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import convergence
import report
import servers

import rows

HERE = Path(__file__).parent
DATA = HERE / "results" / "data"
Figures = dict[str, dict[str, list[dict[str, Any]]]]  # scenario -> server -> reports


def generate(scenario: rows.Scenario, target: servers.Running, seconds: float) -> dict[str, Any]:
    """One run of the load generator, one beside the other where there are several ways; the figures they
    printed, or `{"error": ...}`. Rates are of all, the processor's time of all servers.
    """
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(_generate, scenario, target, seconds, *way) for way in target.ways]
    first, *others = [run.result() for run in runs]
    for figures in others:
        if "error" in figures:
            return figures
        for rate in ("del_s", "upd_s"):
            first[rate] = first.get(rate, 0) + figures.get(rate, 0)
    if "error" not in first:
        _derive(first, scenario, target)
    return first


def _generate(
    scenario: rows.Scenario, target: servers.Running, seconds: float, writers: int, readers: int
) -> dict[str, Any]:
    server = target.server
    dialect = scenario.dialect if scenario.dialect in server.dialects else next(iter(server.dialects))
    cores = servers.EVERY_CORE if scenario.spread else servers.GENERATOR_CORE
    command = [
        *("taskset", "-c", cores, str(servers.BUILD / "loadgen")),
        *("--port", str(writers), "--port2", str(0 if readers == writers else readers)),
        *("--label", server.name, "--pid", ",".join(map(str, target.pids))),
        *("--proto", dialect, "--path", server.dialects[dialect], "--token", server.token),
        *("--updates", str(DATA / scenario.updates), "--seed", str(DATA / "history.bin")),
        *("--secs", str(seconds), *scenario.arguments),
    ]
    if server.query:
        command += ["--query", server.query]
    if scenario.history:
        command += ["--history", str(DATA / scenario.history)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    figures: dict[str, Any] = json.loads(lines[-1]) if lines else {"error": done.stderr[-300:] or "no report"}
    if figures.get("ended") and figures["secs"] > 2 * seconds:  # it had not begun to measure
        return {"error": "the updates ended before it was warm"}
    return figures


def _derive(figures: dict[str, Any], scenario: rows.Scenario, target: servers.Running) -> None:
    """What a report says only together with its scenario."""
    updates_s = figures.get("upd_s") or figures.get("del_s", 0) / max(1, scenario.readers)
    if updates_s:
        figures["us_per_update"] = figures["srv_cpu"] * 1e6 / updates_s
    if figures.get("del_s"):
        figures["us_per_delivery"] = figures["srv_cpu"] * 1e6 / figures["del_s"]
    if figures.get("ack_p50_us") and scenario.ours:
        sync_us = max(scenario.sync_us, servers.sync_us(target.scratch))
        figures["ack_syncs"] = figures["ack_p50_us"] / sync_us


def _started(scenario: rows.Scenario, server: servers.Server) -> AbstractContextManager[servers.Running]:
    if scenario.sync_us:
        server = servers.on_slow_disk(server, scenario.sync_us)
    if not scenario.nodes:
        return servers.running(server)
    cores = servers.EVERY_CORE if scenario.spread else servers.SERVER_CORE
    return servers.on_redis(server, scenario.nodes, cores)


def measure(scenario: rows.Scenario, rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Every server in turn, `rounds` times; a server that cannot do a scenario reports its error."""
    reports: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(rounds):
        for server in servers.ALL:
            if not _applies(scenario, server):
                continue
            with _started(scenario, server) as target:
                figures = generate(scenario, target, seconds)
                if server is servers.THREADLINE and "error" not in figures:
                    figures |= asyncio.run(convergence.check(target, written="idle" not in scenario.key))
            reports[server.name].append(figures)
            print(f"{scenario.key} round {number + 1}/{rounds} {server.name}: {_brief(figures)}", flush=True)
    return reports


def _applies(scenario: rows.Scenario, server: servers.Server) -> bool:
    if scenario.ours:
        return server is servers.THREADLINE
    if scenario.nodes:
        return server.node_command is not None
    if scenario.dialect == "hocus" and "hocus" not in server.dialects:
        return False
    return server is not servers.LIMIT or scenario.arguments[1] in {"sat", "rate"}


def index_build(rounds: int) -> dict[str, list[dict[str, Any]]]:
    """The item index alone, in a process of its own."""
    command = [sys.executable, str(HERE / "index_build.py"), str(DATA / "history.bin")]
    environment = {**os.environ, **servers.compiled_environment()}
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        for _ in range(rounds)
    ]
    return {servers.THREADLINE.name: [json.loads(run) for run in runs]}


def runs_at_once(rounds: int) -> dict[str, list[dict[str, Any]]]:
    """A node with a worker and its devices, which start by themselves."""
    command = [sys.executable, str(HERE / "runs_at_once.py")]
    environment = {**os.environ, **servers.compiled_environment()}
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        for _ in range(rounds)
    ]
    return {servers.THREADLINE.name: [json.loads(run) for run in runs]}


def _brief(figures: dict[str, Any]) -> str:
    kept = (
        "del_s",
        "p50_us",
        "p99_us",
        "srv_cpu",
        "join_ms_p50",
        "storm_s",
        "kb_per_conn",
        "connect_per_s",
        "acks_s",
    )
    shown = {key: figures[key] for key in (*kept, "ack_p50_us", "error", "converged") if key in figures}
    return json.dumps(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 5)
    figures: Figures = {}
    for scenario in rows.SCENARIOS:
        if options.only and scenario.key not in options.only:
            continue
        if options.quick and not scenario.quick:
            continue
        seconds = min(scenario.seconds, 2.0) if options.quick else scenario.seconds
        figures[scenario.key] = measure(scenario, rounds, seconds)
    if not options.only or "index" in options.only:
        figures["index"] = index_build(rounds)
    if not options.only or "runs50" in options.only:
        figures["runs50"] = runs_at_once(rounds)
    return report.write(figures, HERE / "results")


if __name__ == "__main__":
    sys.exit(main())
