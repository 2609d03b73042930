"""Reading a stored document in a child process, with bounds on its memory and time.

Some bytes make the document library hang, allocate without end or end the process. The gate lets none of them
in, but what was stored before, or written by hand, is looked at here before a node loads it into itself.

Run as `python -m threadline_server.rooms.examination MEMORY_BYTES`, it reads updates from its input, each
after its length, applies them, reads the whole content, and exits with 0.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Sequence

from threadline.document.digest import session_digest
from threadline.errors import StoreError
from threadline.protocol.varint import encode_bytes
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.replica import replica_of

_SAID_CHARS = 300


class UnsafeDocument(StoreError):
    """A child process that read this document died, hung or failed."""

    code = "unsafe_document"


async def examine(updates: Sequence[bytes], options: RoomOptions) -> None:
    """Raises UnsafeDocument where reading them goes wrong in any way."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        str(options.examination_memory_bytes),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(options.examination_timeout_s):
            _, said = await child.communicate(b"".join(map(encode_bytes, updates)))
    except TimeoutError:
        raise UnsafeDocument(f"Reading it took over {options.examination_timeout_s:g} s.") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        last = said.decode(errors="replace").strip()[-_SAID_CHARS:]
        raise UnsafeDocument(f"Reading it ended a process with {child.returncode}: {last}")


def main() -> None:
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    session_digest(replica_of(sys.stdin.buffer.read()).document())


if __name__ == "__main__":
    main()
