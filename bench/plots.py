"""Plots of a run as SVG: ratios to the best peer and to the limit, latencies, and what costs grow with."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

Reports = dict[str, dict[str, list[dict[str, Any]]]]

COLOURS = {
    "threadline": "#1c7ed6",
    "hocuspocus": "#e8590c",
    "y-websocket": "#2f9e44",
    "pycrdt-websocket": "#ae3ec9",
    "limit": "#868e96",
}
QUANTILES = (("p50_us", "p50"), ("p90_us", "p90"), ("p99_us", "p99"), ("p999_us", "p99.9"))
LATENCIES = (
    ("latency100", "1 to 100 at 50/s"),
    ("agents200", "200 agents at 50/s"),
    ("nodes2", "two nodes"),
)
COSTS = (
    ("members of a session", (("fan10", 10), ("fan100", 100), ("fan1000", 1000))),
    ("sessions", (("sessions50", 50), ("sessions500", 500))),
    ("messages in the session", (("history1k", 1000), ("history100k", 100_000))),
)
WIDTH, HEIGHT, LEFT, TOP, INNER = 330, 260, 60, 40, 170


@dataclass(frozen=True)
class Bar:
    """`ratio` is drawn; a bar past the line at 1 is ahead where larger is better."""

    title: str
    ratio: float
    bound: str
    passed: bool


@dataclass(frozen=True)
class Line:
    """Points of one server: (place on the x axis from 0 to 1, figure)."""

    server: str
    points: Sequence[tuple[float, float]]


def median_of(reports: Reports, scenario: str, server: str, figure: str) -> float | None:
    values = [float(one[figure]) for one in reports.get(scenario, {}).get(server, ()) if one.get(figure)]
    return statistics.median(values) if values else None


def write_bars(bars: Sequence[Bar], title: str, path: Path) -> None:
    height = 34 * len(bars) + 40
    drawn = []
    for number, bar in enumerate(bars):
        y, width = 30 + 34 * number, min(560.0, 70.0 * bar.ratio)
        colour = "#2b8a3e" if bar.passed else "#c92a2a"
        drawn.append(_text(8, y + 15, bar.title))
        drawn.append(f'<rect x="380" y="{y}" width="{width:.0f}" height="20" fill="{colour}"/>')
        drawn.append(_text(386 + round(width), y + 15, f"{bar.ratio:.2f}x {bar.bound}"))
    line = f'<line x1="450" y1="20" x2="450" y2="{height}" stroke="#868e96" stroke-dasharray="4"/>'
    _write(path, 1160, height, [_text(380, 15, title), line, *drawn])


def write_latencies(reports: Reports, path: Path) -> None:
    """One panel a scenario: each server's quantiles on a logarithmic axis."""
    panels = []
    for scenario, title in LATENCIES:
        lines = [
            Line(server, [(at / 3, figure) for at, figure in enumerate(figures) if figure])
            for server in COLOURS
            if any(figures := [median_of(reports, scenario, server, key) for key, _ in QUANTILES])
        ]
        panels.append((f"{title}, us", [label for _, label in QUANTILES], lines))
    _write_panels(panels, path)


def write_costs(reports: Reports, path: Path) -> None:
    """One panel each for members, sessions and history: processor time an update."""
    panels = []
    for title, scenarios in COSTS:
        last = len(scenarios) - 1
        lines = []
        for server in COLOURS:
            figures = [median_of(reports, key, server, "us_per_update") for key, _ in scenarios]
            points = [(at / last, figure) for at, figure in enumerate(figures) if figure]
            if points:
                lines.append(Line(server, points))
        panels.append((f"CPU us an update, by {title}", [f"{count:,}" for _, count in scenarios], lines))
    _write_panels(panels, path)


def _write_panels(panels: Sequence[tuple[str, list[str], list[Line]]], path: Path) -> None:
    shapes = []
    for number, (title, labels, lines) in enumerate(panels):
        inner = "".join(_panel(title, labels, lines))
        shapes.append(f'<g transform="translate({number * WIDTH} 0)">{inner}</g>')
    for number, (server, colour) in enumerate(COLOURS.items()):
        x = 10 + 150 * number
        shapes.append(f'<rect x="{x}" y="{HEIGHT}" width="12" height="12" fill="{colour}"/>')
        shapes.append(_text(x + 18, HEIGHT + 11, server))
    _write(path, WIDTH * len(panels), HEIGHT + 25, shapes)


def _panel(title: str, labels: Sequence[str], lines: Sequence[Line]) -> list[str]:
    shapes = [_text(8, 16, title)]
    figures = [figure for line in lines for _, figure in line.points]
    if not figures:
        return [*shapes, _text(LEFT, TOP + INNER // 2, "not measured")]
    low = math.floor(math.log10(min(figures)))
    high = max(low + 1, math.ceil(math.log10(max(figures))))

    def y_of(figure: float) -> float:
        return TOP + INNER * (high - math.log10(figure)) / (high - low)

    for power in range(low, high + 1):
        y = y_of(10.0**power)
        shapes.append(f'<line x1="{LEFT}" y1="{y:.0f}" x2="{WIDTH - 20}" y2="{y:.0f}" stroke="#dee2e6"/>')
        shapes.append(_text(4, round(y) + 4, f"{10.0**power:,g}"))
    for at, label in enumerate(labels):
        shapes.append(_text(round(_x_of(at / max(1, len(labels) - 1))) - 12, TOP + INNER + 20, label))
    return [*shapes, *(_drawn(line, y_of) for line in lines)]


def _drawn(line: Line, y_of: Callable[[float], float]) -> str:
    colour = COLOURS[line.server]
    places = [(_x_of(at), y_of(figure)) for at, figure in line.points]
    path = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'


def _x_of(at: float) -> float:
    return LEFT + 15 + (WIDTH - LEFT - 60) * at


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}">{escape(text)}</text>'


def _write(path: Path, width: int, height: int, shapes: Sequence[str]) -> None:
    style = "font-family:sans-serif;font-size:13px"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="{style}">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>'
    )
