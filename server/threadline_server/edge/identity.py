"""What a node needs to know who is who, put together for one way of authentication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from threadline.errors import ConfigurationError, Unauthorized
from threadline_server.backplane.base import Backplane
from threadline_server.edge.authentication import Principal, TrustingAuthenticator
from threadline_server.edge.device_links import DeviceLinks
from threadline_server.edge.jwks import PublishedKeys
from threadline_server.edge.kept_tokens import KeptTokens
from threadline_server.edge.options import DEFAULT_OPTIONS, EdgeOptions
from threadline_server.edge.revocations import Revocations
from threadline_server.edge.tickets import Tickets
from threadline_server.edge.token_authenticator import Identify, TokenAuthenticator
from threadline_server.edge.token_keys import JoinedKeys, KeySource, TokenKeys, key_of_secret, read_keys
from threadline_server.edge.token_verifier import Demands, TokenVerifier


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """What `--auth token` goes by. `url_tokens`: tokens other than tickets are taken from an address too."""

    secret: str | None = field(default=None, repr=False)
    keys_file: Path | None = None
    jwks_url: str | None = None
    issuer: str = ""
    audience: str = ""
    url_tokens: bool = False
    bounds: EdgeOptions = DEFAULT_OPTIONS


Way = Literal["none", "pairing", "token"]


class Identity:
    """tickets, kept, links, revocations: what was given out and taken back
    tokens: the authenticator; with every way of authentication it takes what was given out here
    """

    def __init__(
        self,
        backplane: Backplane,
        options: TokenOptions,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
        *,
        way: Way,
    ) -> None:
        bounds = options.bounds
        self.way = way
        self.tickets = Tickets(backplane, now_s, bounds.ticket_life_s)
        self.kept = KeptTokens(backplane, now_s)
        self.revocations = Revocations(backplane, now_s, bounds.max_token_life_s)
        self.links = DeviceLinks(backplane, self.kept, self.revocations, now_s, bounds)
        self.tokens = TokenAuthenticator(
            _identify(way, options, now_s, monotonic_s),
            self.kept,
            self.tickets,
            self.revocations,
            tokens_in_url=options.url_tokens or way == "none",
        )


def _identify(
    way: Way, options: TokenOptions, now_s: Callable[[], float], monotonic_s: Callable[[], float]
) -> Identify:
    if way == "none":
        return TrustingAuthenticator().authenticate
    if way == "pairing":
        return _unpaired
    demands = Demands(options.issuer, options.audience, options.bounds.max_token_life_s)
    return TokenVerifier(JoinedKeys(key_sources(options, monotonic_s)), demands, now_s).verify


async def _unpaired(token: str) -> Principal:
    raise Unauthorized("Pair this device first: open /pair and enter the code shown at the server.")


def key_sources(options: TokenOptions, monotonic_s: Callable[[], float]) -> list[KeySource]:
    """Raises ConfigurationError where no key is given, or one cannot be read or is weak."""
    sources: list[KeySource] = [*fixed_keys(options)]
    if options.jwks_url is not None:
        sources.append(PublishedKeys(options.jwks_url, monotonic_s))
    if not sources:
        raise ConfigurationError(
            "--auth token needs keys to check tokens with: give --auth-keys-file, --auth-jwks-url, or a "
            "shared secret in THREADLINE_AUTH_SECRET."
        )
    return sources


def fixed_keys(options: TokenOptions) -> list[TokenKeys]:
    """The keys that are not fetched."""
    found = []
    if options.secret is not None:
        found.append(TokenKeys([key_of_secret(options.secret)]))
    if options.keys_file is not None:
        found.append(read_keys(options.keys_file))
    return found
