"""Waiting for a Redis that can be used, at the start."""

from __future__ import annotations

import asyncio
import logging

from threadline.errors import ConfigurationError, StoreError
from threadline_server.backplane.base import Durability
from threadline_server.backplane.redis.link import RedisAway, RedisRefused
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.requirements import Kept, check_all, explain

RETRY_S = 0.5
ANSWER_S = 10.0

logger = logging.getLogger(__name__)


async def wait_for_redis(links: Links, least: Durability | None, patience_s: float) -> Kept:
    """Check every primary, and say once what it waits for. Raises ConfigurationError, or StoreError after
    `patience_s`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience_s
    told = ""
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                await links.topology.refresh()
                return await check_all(links, least)
        except (RedisAway, RedisRefused, TimeoutError) as error:
            if isinstance(error, RedisRefused):
                explained = explain(error)
                if isinstance(explained, ConfigurationError):
                    raise explained from error
            if loop.time() >= end:
                raise no_answer(error, patience_s) from error
            if str(error) != told:
                told = str(error)
                logger.warning("Waiting for Redis: %s", told)
            await asyncio.sleep(RETRY_S)


def no_answer(error: Exception, patience_s: float) -> StoreError:
    why = str(error) or "it is silent"
    return StoreError(
        f"Redis did not answer for {patience_s:g} s: {why} Start it, or correct --redis; "
        "--start-timeout-s says how long to wait."
    )
