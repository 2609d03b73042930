"""Room for many file descriptors, made before they are needed.

Where a process with threads opens more files than its table holds, Linux makes a larger one and waits until
no processor looks at the old one any more: 4 to 17 ms in which the loop stands still, at 64 sockets, at 128,
and so on. A table that is large from the start costs eight bytes a descriptor.
"""

from __future__ import annotations

import fcntl
import os
import resource

_BESIDES = 256
"""Files of the store, logs, and whatever else is open beside the sockets."""


def make_room_for(sockets: int) -> None:
    """Let the table hold so many, as far as the process may open them; it never shrinks."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + _BESIDES
    highest = wanted if most == resource.RLIM_INFINITY else min(wanted, most - 1)
    some = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.close(fcntl.fcntl(some, fcntl.F_DUPFD_CLOEXEC, highest))
    finally:
        os.close(some)
