"""What the C library does with memory that was given free.

It gives large pieces back to the system at once, and gets them anew for the next large update: pages that the
system has to fill with zeros first, at each of the copies between the socket and the file. That took an
eighth of the processor under updates of a megabyte.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD = -1  # malloc.h of glibc, for mallopt(3)
_MMAP_THRESHOLD = -3

KEPT_BYTES = 16 << 20
"""Free memory at the end of the heap that is kept for what comes next."""

MAPPED_BYTES = 1 << 20
"""What is larger is had from the system by itself, and given back at once. A table of an index grows without
being copied there."""


def keep() -> bool:
    """False where the C library has no such setting (it is not glibc)."""
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(set_option(_TRIM_THRESHOLD, KEPT_BYTES) and set_option(_MMAP_THRESHOLD, MAPPED_BYTES))
