"""Which Redis the Sentinels name as the primary."""

from __future__ import annotations

from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from threadline_server.backplane.redis.endpoint import Address, Endpoint
from threadline_server.backplane.redis.link import CONNECT_S, RedisAway


async def ask_sentinels(endpoint: Endpoint, name: str) -> Address:
    """The primary of `name`. Raises RedisAway."""
    hosts = [(address.host, address.port) for address in endpoint.addresses]
    options = {"socket_timeout": CONNECT_S}
    sentinels = Sentinel(hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    try:
        host, port = await sentinels.discover_master(name)
    except (RedisError, OSError) as error:
        raise RedisAway(f"No Sentinel names a primary for {name} ({error}).") from error
    finally:
        for sentinel in sentinels.sentinels:
            await sentinel.aclose()
    return Address(str(host), int(port))
