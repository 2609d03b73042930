"""The report of a benchmark run: a table in Markdown and JSON, and plots."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import plots
import servers

import rows

Reports = dict[str, dict[str, list[dict[str, Any]]]]


@dataclass(frozen=True)
class Judged:
    """One row's medians. `ratio` is ours to the best peer's; `limit_ratio` ours to the C program's."""

    title: str
    unit: str
    ours: float
    peer: str
    peer_figure: float | None
    ratio: float | None
    budget: str
    limit_ratio: float | None
    passed: bool


def judge(row: rows.Row, all_reports: Reports) -> Judged | None:
    reports = all_reports.get(row.scenario, {})
    ours = _median(reports, "threadline", row.figure)
    if ours is None:
        return None
    if row.against:
        before = _median(all_reports.get(row.against, {}), "threadline", row.figure)
        ratio = ours / before if before else None
        passed = row.holds(ratio, ours)
        return Judged(row.title, row.unit, ours, "itself", before, ratio, _bound(row), None, passed)
    peers = {s.name: _median(reports, s.name, row.figure) for s in servers.ALL if s.is_peer}
    known = {name: figure for name, figure in peers.items() if figure is not None}
    best = (max if row.better == rows.LARGER else min)(known, key=lambda name: known[name]) if known else ""
    ratio = row.ratio(ours, known[best]) if best else None
    limit = _median(reports, "limit", row.figure)
    return Judged(
        title=row.title,
        unit=row.unit,
        ours=ours,
        peer=best,
        peer_figure=known.get(best),
        ratio=ratio,
        budget=_bound(row),
        limit_ratio=row.ratio(ours, limit) if limit else None,
        passed=row.holds(ratio, ours),
    )


def _median(reports: dict[str, list[dict[str, Any]]], server: str, figure: str) -> float | None:
    values = [float(report[figure]) for report in reports.get(server, ()) if figure in report]
    return statistics.median(values) if values else None


def _bound(row: rows.Row) -> str:
    sign = ">=" if row.better == rows.LARGER else "<="
    parts = []
    if row.budget is not None:
        parts.append(f"{sign} {row.budget:.2g}x")
    if row.absolute_budget is not None:
        parts.append(f"{sign} {row.absolute_budget:g} {row.unit}")
    return ", ".join(parts) or "shown"


def write(reports: Reports, directory: Path) -> int:
    """Write the report. The exit code: 1 when a budget is missed or a session did not converge."""
    directory.mkdir(parents=True, exist_ok=True)
    judged = [one for row in rows.ROWS if (one := judge(row, reports))]
    diverged = [key for key, value in reports.items() if not _converged(value.get("threadline", []))]
    text = _markdown(judged, diverged, reports)
    (directory / "report.md").write_text(text)
    (directory / "report.json").write_text(
        json.dumps({"rows": [asdict(one) for one in judged], "reports": reports}, indent=1)
    )
    _plot(judged, reports, directory)
    print(text)
    return 1 if diverged or not all(one.passed for one in judged) else 0


def _converged(reports: list[dict[str, Any]]) -> bool:
    return all(report.get("converged", False) for report in reports)


def _markdown(judged: list[Judged], diverged: list[str], reports: Reports) -> str:
    head = "| measure | this server | best peer | ratio | budget | of the limit | |\n" + "|---" * 7 + "|\n"
    body = "\n".join(_line(one) for one in judged)
    work = f"{_processor(reports)}\n\n{_work(reports)}"
    return (
        f"# Benchmark\n\n{_versions()}\n\n{head}{body}\n\n"
        f"Sessions that did not converge: {', '.join(diverged) or 'none'}.\n\n{work}\n"
    )


def _line(one: Judged) -> str:
    peer = f"{one.peer_figure:,.4g} ({one.peer})" if one.peer_figure is not None else "-"
    ratio = f"{one.ratio:.2f}x" if one.ratio is not None else "-"
    limit = f"{one.limit_ratio:.2f}x" if one.limit_ratio is not None else "-"
    verdict = "pass" if one.passed else "**miss**"
    cells = (one.title, f"{one.ours:,.4g} {one.unit}", peer, ratio, one.budget, limit, verdict)
    return "| " + " | ".join(cells) + " |"


def _processor(reports: Reports) -> str:
    """What an update costs its server, which another program on the same core cannot change much."""
    names = [server.name for server in servers.ALL]
    head = (
        "| processor time an update, us | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|\n"
    )
    lines = []
    for scenario in rows.SCENARIOS:
        medians = [_median(reports.get(scenario.key, {}), name, "us_per_update") for name in names]
        if medians[0] is not None:
            cells = [f"{median:,.1f}" if median else "-" for median in medians]
            lines.append(f"| {scenario.key} | " + " | ".join(cells) + " |")
    return head + "\n".join(lines)


def _work(reports: Reports) -> str:
    totals: dict[str, float] = {}
    for scenario in reports.values():
        for report in scenario.get("threadline", ()):
            for name, value in report.items():
                if name.startswith("threadline_") and isinstance(value, int | float):
                    totals[name] = totals.get(name, 0.0) + value
    lines = [f"* `{name}`: {value:,.0f}" for name, value in sorted(totals.items())]
    return "What this server counted meanwhile:\n\n" + "\n".join(lines)


def _versions() -> str:
    packages = json.loads((servers.PEERS / "package.json").read_text())["dependencies"]
    ours = ", ".join(f"{name} {metadata.version(name)}" for name in ("threadline", "pycrdt", "uvicorn"))
    ours += ", hot modules " + ("compiled" if servers.compiled_environment() else "as plain Python")
    ours += ", everything stored encrypted" if servers.sealed_environment() else ""
    packages["pycrdt-websocket"] = _peer_version("pycrdt-websocket")
    peers = ", ".join(f"{name} {version}" for name, version in packages.items())
    return f"{platform.machine()}, Python {platform.python_version()}; {ours}; peers: {peers}."


def _peer_version(package: str) -> str:
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([servers.PEER_PYTHON, "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _plot(judged: list[Judged], reports: Reports, directory: Path) -> None:
    to_peer = [plots.Bar(one.title, one.ratio, f"({one.budget})", one.passed) for one in judged if one.ratio]
    to_limit = [
        plots.Bar(one.title, one.limit_ratio, "", one.passed) for one in judged if one.limit_ratio is not None
    ]
    plots.write_bars(to_peer, "ratio to the best peer", directory / "ratios.svg")
    plots.write_bars(to_limit, "ratio to the C program that only sends", directory / "limits.svg")
    plots.write_latencies(reports, directory / "latencies.svg")
    plots.write_costs(reports, directory / "costs.svg")
