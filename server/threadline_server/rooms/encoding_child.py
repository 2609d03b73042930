"""The process that makes an encoding, with two descriptors, as `encoding.encode` takes them:
`python -m threadline_server.rooms.encoding_child GIVEN MADE`.

It has the processor only while the node leaves it unused (SCHED_IDLE, sched(7)), from before it imports
anything: that takes longer than most encodings. Where that is too little for long, the node gives it a tenth
of what it has itself.
"""

from __future__ import annotations

import os
import sys

_NICE = 10
"""A tenth, by the kernel's weights; it counts once the process is not idle any more."""


def stand_back() -> None:
    """Let everybody else have the processor first."""
    os.nice(_NICE)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    stand_back()
    from threadline_server.rooms.encoding import encode

    encode(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
