"""Checks of the machine: processors, memory, limits, clock, versions."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import time
from importlib import metadata
from pathlib import Path

from threadline_server.app import web_page_directory
from threadline_server.backplane.embedded.reader import SQLITE_VERSION
from threadline_server.cli.ailment import Ailment
from threadline_server.settings import Settings

SPARE_FILES = 64
LEAST_MEMORY_BYTES = 256 << 20
OLDEST_SQLITE = (3, 35, 0)
OLDEST_SENSIBLE_S = 1_735_689_600  # the year 2025: a machine whose clock was never set says 1970
ANSWER_S = 2.0

_CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def versions(_: Settings) -> str:
    compiled = "compiled" if _is_compiled() else "plain Python"
    sqlite, oldest = (".".join(map(str, version)) for version in (SQLITE_VERSION, OLDEST_SQLITE))
    if SQLITE_VERSION < OLDEST_SQLITE:
        raise Ailment(f"SQLite {sqlite} is older than {oldest}. Use a Python built with a newer one.")
    return (
        f"threadline {metadata.version('threadline')} ({compiled}), Python {platform.python_version()}, "
        f"pycrdt {metadata.version('pycrdt')}, SQLite {sqlite}, "
        f"{platform.system()} {platform.release()}"
    )


def _is_compiled() -> bool:
    import threadline_server.rooms.gate as gate

    return not str(gate.__file__).endswith(".py")


def processors(_: Settings) -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{usable} usable; one node uses one, and a little of a second for the disk"


def memory(_: Settings) -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = min([total, *_limits_of_container()])
    if allowed < LEAST_MEMORY_BYTES:
        raise Ailment(
            f"only {allowed >> 20} MiB may be used; give this process {LEAST_MEMORY_BYTES >> 20} MiB or more."
        )
    return f"{allowed >> 20} MiB"


def _limits_of_container() -> list[int]:
    found = [path.read_text().strip() for path in _CGROUP if path.is_file()]
    return [int(text) for text in found if text.isdigit()]


def open_files(settings: Settings) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise Ailment(
            f"this shell allows {soft} open files, fewer than --max-connections {settings.max_connections} "
            f"may need. Run `ulimit -n {needed}` before the server (hard limit {hard}), or lower the setting."
        )
    return f"{soft} allowed"


def clock(_: Settings) -> str:
    """Times of messages and the ends of tokens are by the wall clock; waits and leases are not."""
    if time.time() < OLDEST_SENSIBLE_S:
        raise Ailment("the clock was never set. Set it, best by NTP: `timedatectl set-ntp true`.")
    synchronized = _is_synchronized()
    if synchronized is False:
        raise Ailment("nothing keeps the clock right. Turn NTP on: `timedatectl set-ntp true`.")
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return f"{now}, {'kept by NTP' if synchronized else 'who keeps it is not known here'}"


def _is_synchronized() -> bool | None:
    """None where there is no systemd to ask, as in a container."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    try:
        asked = [program, "show", "--property=NTPSynchronized", "--value"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=ANSWER_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer.stdout.strip())


def web_page(_: Settings) -> str:
    found = web_page_directory()
    return (
        "not built; everything else works (`make demo` in a checkout builds it)" if found is None else "built"
    )
