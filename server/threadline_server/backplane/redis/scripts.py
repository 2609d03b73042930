"""The scripts that run inside Redis, each one atomic. Their text is in `lua/`, their contract in its first
lines.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from hashlib import sha1
from importlib.resources import files
from typing import Final, cast

import hiredis


class Script(Enum):
    APPEND = "append"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    STAGE = "stage"
    REBASE = "rebase"
    ACQUIRE = "acquire"
    RENEW = "renew"
    DECIDE = "decide"
    INDEX = "index"
    TOUCH = "touch"
    FIND = "find"
    COOL = "cool"
    WARM = "warm"
    SWAP = "swap"
    PROBE = "probe"


Argument = str | bytes | int

_LUA: Final = files("threadline_server.backplane.redis") / "lua"
TEXTS: Final = {script: (_LUA / f"{script.value}.lua").read_text(encoding="utf-8") for script in Script}
_DIGESTS: Final = {
    script: sha1(text.encode(), usedforsecurity=False).hexdigest() for script, text in TEXTS.items()
}


_pack = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)  # its own types say less


def pack(*arguments: Argument) -> bytes:
    """A command as Redis reads it."""
    return _pack(arguments)


def pack_script(script: Script, keys: tuple[Argument, ...], *arguments: Argument) -> bytes:
    """A call of a script that Redis has loaded."""
    return _pack(("EVALSHA", _DIGESTS[script], len(keys), *keys, *arguments))


LOAD_ALL: Final = tuple(pack("SCRIPT", "LOAD", text) for text in TEXTS.values())
