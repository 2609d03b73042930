"""What a Redis must be for sessions to be safe in it: asked at the start, and by `threadline doctor`."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from typing import Final

from threadline.errors import ConfigurationError, StoreError
from threadline_server.backplane.base import Durability
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.keys import PREFIX
from threadline_server.backplane.redis.link import Link, RedisRefused, info_fields
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import TEXTS, Script, pack_script

OLDEST: Final = (7, 0)
WAITAOF_SINCE: Final = (8, 0)  # since 7.2 it is there, and under `everysec` answered before the sync
_STRENGTH: Final = {Durability.NONE: 0, Durability.PROCESS: 1, Durability.FSYNC: 2}
_ACL: Final = "ACL SETUSER <user> ~tl:* &tl:* +@all -@dangerous +info +config|get +cluster|slots"

_IS_FORBIDDEN: Final = re.compile("NOPERM|can't run this command|can't access|no permissions", re.IGNORECASE)
_SCRIPT_LINE: Final = re.compile(r"@user_script: ?(\d+)")


@dataclass(frozen=True, slots=True)
class Kept:
    """What an acknowledgement means, and whether Redis has to be asked for it, because a reply says less."""

    durability: Durability
    asked: bool


async def check(link: Link, least: Durability | None) -> Kept:
    """What an acknowledgement of this Redis means.

    Raises ConfigurationError for one that is too old, a replica, evicts, keeps nothing, keeps less than
    `least`, or does not let this user do what is needed; the message says what to change. RedisAway and
    RedisRefused pass.
    """
    info = info_fields(await _ask(link, "INFO"))
    _check_version(link.address, info.get("redis_version", "0"))
    if info.get("role") != "master":
        raise ConfigurationError(f"Redis at {link.address} is a replica; give the URL of its primary.")
    durability = await _durability(link)
    asked = durability is Durability.PROCESS
    if asked and least is Durability.FSYNC and _version(info) >= WAITAOF_SINCE:
        durability = Durability.FSYNC
    if least is not Durability.NONE:
        await _check_eviction(link)
        if durability is Durability.NONE:
            raise ConfigurationError(
                f"Redis at {link.address} keeps nothing through a crash: acknowledged changes would be lost. "
                "Set `appendonly yes`, or accept that with --durability none."
            )
    if least is not None and _STRENGTH[durability] < _STRENGTH[least]:
        raise ConfigurationError(
            f"Redis at {link.address} gives durability '{durability}', and '{least}' is asked for. "
            "Set `appendonly yes` and `appendfsync always`, run version 8.0 or newer, which can be asked to "
            "wait for the disk, or ask for less with --durability."
        )
    await _probe(link)
    return Kept(durability, asked)


async def check_all(links: Links, least: Durability | None) -> Kept:
    """Check every primary of a topology that is known; what the weakest of them keeps."""
    found = []
    for address in links.topology.primaries:
        link = await links.connect(address)
        try:
            found.append(await check(link, least))
        finally:
            link.abort()
    weakest = min((kept.durability for kept in found), key=lambda durability: _STRENGTH[durability])
    return Kept(weakest, weakest is not Durability.NONE and any(kept.asked for kept in found))


def explain(refusal: RedisRefused) -> ConfigurationError | StoreError:
    """What a refusal of the very first commands means."""
    if refusal.kind in ("NOAUTH", "WRONGPASS", "NOPERM"):
        return ConfigurationError(
            f"Redis does not let us in ({refusal}). Put user and password into the URL."
        )
    return StoreError(f"Redis refuses to work: {refusal}")


def _version(info: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(part) for part in info.get("redis_version", "0").split(".")[:2])


def _check_version(address: Address, version: str) -> None:
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigurationError(
            f"Redis at {address} is version {version}; sharded pub/sub needs {oldest} or newer. Upgrade it."
        )


async def _ask(link: Link, *arguments: str) -> bytes:
    try:
        reply = await link.call(*arguments)
    except RedisRefused as refusal:
        raise _forbidden(link.address, refusal) from refusal
    assert isinstance(reply, bytes)
    return reply


def _forbidden(address: Address, refusal: RedisRefused) -> Exception:
    if not _IS_FORBIDDEN.search(str(refusal)):
        return refusal
    line = _SCRIPT_LINE.search(str(refusal))
    what = TEXTS[Script.PROBE].splitlines()[int(line[1]) - 1] if line else str(refusal)
    return ConfigurationError(
        f"Redis at {address} does not allow this user what is needed ({what}). Grant it: {_ACL}"
    )


async def _config(link: Link, name: str) -> str:
    try:
        reply = await link.call("CONFIG", "GET", name)
    except RedisRefused as refusal:
        raise _forbidden(link.address, refusal) from refusal
    return reply[1].decode() if reply else ""


async def _durability(link: Link) -> Durability:
    if await _config(link, "appendonly") != "yes":
        return Durability.NONE
    policy = await _config(link, "appendfsync")
    return {"always": Durability.FSYNC, "everysec": Durability.PROCESS}.get(policy, Durability.NONE)


async def _check_eviction(link: Link) -> None:
    policy = await _config(link, "maxmemory-policy")
    if policy != "noeviction" and await _config(link, "maxmemory") != "0":
        raise ConfigurationError(
            f"Redis at {link.address} throws keys away when memory is short (maxmemory-policy {policy}), "
            "so sessions would lose parts. Set `maxmemory-policy noeviction`, or accept that with "
            "--durability none."
        )


async def _probe(link: Link) -> None:
    """Do once what the scripts do."""
    tag = f"{PREFIX}{{probe-{secrets.token_hex(4)}}}"
    keys = tuple(f"{tag}:{name}" for name in ("hash", "stream", "set", "sorted", "string"))
    reply = await _run(link, pack_script(Script.PROBE, keys, tag))
    if isinstance(reply, RedisRefused) and reply.kind not in ("MOVED", "CLUSTERDOWN", "CROSSSLOT"):
        raise _forbidden(link.address, reply)


async def _run(link: Link, command: bytes) -> object:
    answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    link.send(command, lambda reply: None if answered.done() else answered.set_result(reply))
    return await answered
