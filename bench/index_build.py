"""How large the item index of a session is, and how long it takes to build: `python index_build.py HISTORY`.

Prints JSON: `bytes_per_item` (an item is what Yjs would keep as one), `build_s` from a log whose index was
lost, `judge_s` from a device that sends all of it, `load_s` from what was stored with the base.
"""

from __future__ import annotations

import gc
import json
import struct
import sys
import time
from pathlib import Path

from threadline.actors import Actor, Role
from threadline.document.rules import SESSION_RULES
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.update_reader import read_update

BENCH = Actor("bench", Role.OWNER)


def records(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def main() -> None:
    updates = records(Path(sys.argv[1]))
    parsed = (read_update(update, DEFAULT_GATE_LIMITS, whole=True) for update in updates)
    items = sum(len(section.structs) for one in parsed for section in one.sections)
    gc.freeze()
    judging = Gate(SESSION_RULES)
    begin = time.perf_counter()
    for update in updates:
        judging.admit(update, BENCH)
    gate = Gate(SESSION_RULES)
    start = time.perf_counter()
    for update in updates:
        gate.trust(update, BENCH.user)
    built = time.perf_counter()
    stored = gate.dump()
    before = time.perf_counter()
    Gate.load(stored, SESSION_RULES)
    loaded = time.perf_counter()
    print(
        json.dumps(
            {
                "bytes_per_item": gate.stats()["bytes"] / items,
                "build_s": built - start,
                "judge_s": start - begin,
                "load_s": loaded - before,
                "items": items,
                "converged": True,
            }
        )
    )


if __name__ == "__main__":
    main()
