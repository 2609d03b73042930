"""What a node needs to know who is who, put together for one way of authentication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from threadline.errors import ConfigurationError
from threadline_server.backplane.base import Backplane
from threadline_server.edge.jwks import PublishedKeys
from threadline_server.edge.kept_tokens import KeptTokens
from threadline_server.edge.options import DEFAULT_OPTIONS, EdgeOptions
from threadline_server.edge.revocations import Revocations
from threadline_server.edge.tickets import Tickets
from threadline_server.edge.token_authenticator import TokenAuthenticator
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


class Identity:
    """tickets, kept, revocations: what was given out and taken back; there whatever the authentication
    tokens: the authenticator of `--auth token`, None without it
    """

    def __init__(
        self,
        backplane: Backplane,
        options: TokenOptions,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
        *,
        by_token: bool,
    ) -> None:
        self.tickets = Tickets(backplane, now_s, options.bounds.ticket_life_s)
        self.kept = KeptTokens(backplane, now_s)
        self.revocations = Revocations(backplane, now_s, options.bounds.max_token_life_s)
        self.tokens: TokenAuthenticator | None = None
        if by_token:
            demands = Demands(options.issuer, options.audience, options.bounds.max_token_life_s)
            self.tokens = TokenAuthenticator(
                TokenVerifier(JoinedKeys(key_sources(options, monotonic_s)), demands, now_s),
                self.kept,
                self.tickets,
                self.revocations,
                tokens_in_url=options.url_tokens,
            )


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
