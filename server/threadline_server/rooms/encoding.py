"""The encoding of a large document, and where it may be cut, made by a child process.

The document library holds the interpreter while it encodes, 10 ms for a megabyte of long texts, and everybody
on the node would wait. A child reads the same updates and gives back one. They pass through memory without a
name (memfd_create(2)), written and read in a thread that lets the loop go on meanwhile; it is on no disk.

`encoding_child` is that process. It has the processor only while the node leaves it unused (SCHED_IDLE,
sched(7)), from its first moment: that Python starts and imports takes longer than most encodings. Where that
is too little for long, the node gives it a tenth of what it has itself.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from threadline.errors import StoreError
from threadline.protocol.varint import encode_uint
from threadline_server.background import NICE
from threadline_server.rooms.cuts import find_cuts
from threadline_server.rooms.replica import replica_of

LARGE_BYTES = 1 << 20
"""What is smaller is encoded sooner than a child has started."""

POSSIBLE = hasattr(os, "memfd_create")

_LENGTHS = struct.Struct("<QQ")
_CHILD = "threadline_server.rooms.encoding_child"
_STANDS_BACK_S = 10.0
"""After that the child has its share even where the node leaves no processor unused: without bases the logs
of large documents grow for as long as the machine is busy.
"""
_TIMEOUT_S = 120.0
"""From then on."""
_SAID_CHARS = 300


class EncodingFailed(StoreError):
    """The child process died, hung or failed."""

    code = "encoding_failed"


def encode(given: int, made: int) -> None:
    """What the child does: `given` and `made` are its ends of that memory. In the one are updates, each after
    its length; into the other go the lengths of their encoding and of its cuts, eight bytes each, then both.
    """
    encoded = replica_of(os.pread(given, os.fstat(given).st_size, 0)).encode()
    cuts = find_cuts(encoded)
    for data in (_LENGTHS.pack(len(encoded), len(cuts)), encoded, cuts):
        _write(made, data)


def encode_in_child(updates: Sequence[bytes]) -> tuple[bytes, bytes]:
    """What `updates` make together, as one update, and its cuts. Blocking. Raises EncodingFailed."""
    with _memory("updates") as given, _memory("encoding") as made:
        for update in updates:
            _write(given, encode_uint(len(update)))
            _write(given, update)
        _run_child(given, made)
        encoded, cuts = _LENGTHS.unpack(os.pread(made, _LENGTHS.size, 0))
        at = _LENGTHS.size
        return os.pread(made, encoded, at), os.pread(made, cuts, at + encoded)


def _run_child(given: int, made: int) -> None:
    command = [sys.executable, "-m", _CHILD, str(given), str(made)]
    try:
        child = subprocess.Popen(  # noqa: S603 - this program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(given, made),
        )
    except OSError as error:
        raise EncodingFailed(f"No process could be started to encode a document: {error}") from error
    with child:
        stand_back(child.pid)
        try:
            said = _wait(child)
        finally:
            child.kill()
    if child.returncode != 0:
        last = said.decode(errors="replace").strip()[-_SAID_CHARS:]
        raise EncodingFailed(f"Encoding a document ended a process with {child.returncode}: {last}")


def _wait(child: subprocess.Popen[bytes]) -> bytes:
    """What the child said when it ended."""
    try:
        return child.communicate(timeout=_STANDS_BACK_S)[1]
    except subprocess.TimeoutExpired:
        bring_forward(child.pid)
    try:
        return child.communicate(timeout=_TIMEOUT_S)[1]
    except subprocess.TimeoutExpired:
        raise EncodingFailed(f"Encoding a document took over {_TIMEOUT_S:g} s.") from None


def stand_back(pid: int) -> None:
    """Let everybody else have the processor first. The nice value counts from `bring_forward` on."""
    with suppress(OSError):  # it has just ended, or this system does not let us
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def bring_forward(pid: int) -> None:
    """End what `stand_back` did, but for its nice value."""
    if hasattr(os, "SCHED_OTHER"):
        with suppress(OSError):
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def _memory(name: str) -> Iterator[int]:
    fd = os.memfd_create(name)
    try:
        yield fd
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
