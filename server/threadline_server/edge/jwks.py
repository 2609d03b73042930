"""Keys that an issuer publishes (RFC 7517, a JWK set behind a URL), fetched when they are needed.

They are kept for a while, and fetched again early when a token names a key that is not among them, which is
how an issuer changes keys; so that strangers cannot make us fetch, that happens at most once in a time.
Shared secrets have no business there and are passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import structlog

from threadline.errors import ConfigurationError, Unauthorized
from threadline_server.edge.token_keys import TokenKey, TokenKeys, parse_keys

MAX_BYTES = 256 * 1024
TIMEOUT_S = 5.0
KEPT_S = 300.0
AGAIN_S = 15.0

_log = structlog.get_logger()


class PublishedKeys:
    """A `KeySource`. While the issuer is away the keys fetched last stay good."""

    def __init__(self, url: str, now_s: Callable[[], float]) -> None:
        self._url = url
        self._now_s = now_s
        self._keys: TokenKeys | None = None
        self._fetched_s = -KEPT_S
        self._tried_s = -AGAIN_S
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> TokenKey:
        if algorithm == "HS256":
            raise Unauthorized("Keys that are published do not sign with HS256.")
        if self._is_stale(key_id) or self._fetching.locked():
            async with self._fetching:  # who comes while keys are fetched waits for those
                if self._is_stale(key_id):
                    await self._refresh()
        if self._keys is None:
            raise Unauthorized("The keys of the issuer cannot be fetched now; come back later.")
        return self._keys.pick(key_id, algorithm)

    def _is_stale(self, key_id: str | None) -> bool:
        now_s = self._now_s()
        if now_s - self._tried_s < AGAIN_S:
            return False
        unknown = self._keys is None or (key_id is not None and not self._keys.knows(key_id))
        return unknown or now_s - self._fetched_s > KEPT_S

    async def _refresh(self) -> None:
        self._tried_s = self._now_s()
        try:
            self._keys = parse_keys(await self._fetch(), self._url)
        except (httpx.HTTPError, ConfigurationError, UnicodeDecodeError) as error:
            _log.warning("the issuer's keys could not be fetched", url=self._url, error=str(error))
        else:
            self._fetched_s = self._tried_s

    async def _fetch(self) -> str:
        body = b""
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", self._url, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ConfigurationError(f"{self._url} sends more than {MAX_BYTES} bytes.")
        return body.decode()
