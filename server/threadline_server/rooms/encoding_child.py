"""The process that makes an encoding, with two descriptors, as `encoding.encode` takes them:
`python -m threadline_server.rooms.encoding_child GIVEN MADE`.

It has the processor only while the node leaves it unused (SCHED_IDLE, sched(7)), from before it imports
anything: that takes longer than most encodings.
"""

from __future__ import annotations

import os
import sys

_LAST_IN_LINE = 19


def stand_back() -> None:
    """Let everybody else have the processor first."""
    os.nice(_LAST_IN_LINE)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    stand_back()
    from threadline_server.rooms.encoding import encode

    encode(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
