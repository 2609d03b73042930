"""What an operator wants to know of each Redis."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from threadline_server.backplane.redis.link import Link


@dataclass(frozen=True, slots=True)
class Facts:
    """`ahead_s` is how far its clock is before ours, give or take the time of an answer."""

    address: str
    version: str
    used_bytes: int
    ahead_s: float


async def facts_of(links: Sequence[Link]) -> list[Facts]:
    """Raises RedisAway, RedisRefused."""
    return [await _facts(link) for link in links]


async def _facts(link: Link) -> Facts:
    info = _info(await link.call("INFO"))
    asked_s = time.time()
    seconds, micros = await link.call("TIME")
    ours_s = (asked_s + time.time()) / 2
    version = info.get("valkey_version") or info.get("redis_version", "unknown")
    return Facts(
        address=str(link.address),
        version=f"{info.get('server_name', 'redis')} {version}",
        used_bytes=int(info.get("used_memory", 0)),
        ahead_s=int(seconds) + int(micros) / 1e6 - ours_s,
    )


def _info(reply: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in reply.decode().splitlines())
    return {name: value for name, colon, value in lines if colon}
