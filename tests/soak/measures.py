"""What a process uses, seen from `/proc`, over time; and how to draw it in a line."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40


@dataclass(frozen=True, slots=True)
class Sample:
    """rss: bytes; tasks: of the event loop that was asked; stored: bytes on the disk"""

    rss: int
    sockets: int
    files: int
    tasks: int
    stored: int


def sample(data: Path) -> Sample:
    """This process, and a data directory."""
    sockets, files = descriptors(os.getpid())
    return Sample(rss_of(os.getpid()), sockets, files, len(asyncio.all_tasks()), size_of(data))


def settled_sample(data: Path) -> Sample:
    """The same, after what is garbage went back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return sample(data)


def rss_of(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def descriptors(pid: int) -> tuple[int, int]:
    """(sockets, others)"""
    sockets = others = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            is_socket = str(link.readlink()).startswith("socket:")
        except OSError:
            continue
        sockets += is_socket
        others += not is_socket
    return sockets, others


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def plot(name: str, values: Sequence[float], unit: str = "") -> str:
    """One line: the course of `values`, from 0 to the highest, and what it was at the start and the end."""
    step = max(1, len(values) / WIDTH)
    shown = [values[int(at * step)] for at in range(int(len(values) / step))]
    highest = max(values) or 1
    bars = "".join(BARS[min(len(BARS) - 1, int(value / highest * len(BARS)))] for value in shown)
    first, last = values[0], values[-1]
    return f"  {name:>8} {bars}  {first:,.1f} -> {last:,.1f}{unit}, at most {highest:,.1f}"


def course(samples: Sequence[Sample]) -> str:
    """All of it, a line each."""
    return "\n".join(
        [
            plot("memory", [one.rss / 2**20 for one in samples], " MiB"),
            plot("store", [one.stored / 2**10 for one in samples], " KiB"),
            plot("sockets", [float(one.sockets) for one in samples]),
            plot("files", [float(one.files) for one in samples]),
            plot("tasks", [float(one.tasks) for one in samples]),
        ]
    )
