"""`threadline token`: a signed token for development and for operators."""

from __future__ import annotations

import time

import click
from joserfc import jwt

from threadline.errors import ConfigurationError
from threadline.ids import parse_user_id, uuid7
from threadline_server.cli.options import settings_options
from threadline_server.edge.identity import TokenOptions, fixed_keys
from threadline_server.edge.options import EdgeOptions
from threadline_server.edge.token_keys import TokenKey
from threadline_server.edge.token_verifier import REGISTRY
from threadline_server.settings import Settings

DEFAULT_LIFE_S = 3600


@click.command()
@click.argument("user")
@click.option("--name", default="", help="The user's name for people.")
@click.option("--life-s", type=int, default=DEFAULT_LIFE_S, help="How long it is good. Default 3600.")
@settings_options("auth", "auth_secret", "auth_keys_file", "auth_issuer", "auth_audience", "max_token_life_s")
def token(settings: Settings, user: str, name: str, life_s: int) -> None:
    """Print a token for USER, signed with the node's own key; with the same settings a node takes it."""
    try:
        subject = parse_user_id(user)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    longest_s = settings.pick(EdgeOptions).max_token_life_s
    if life_s > longest_s:
        raise click.UsageError(
            f"A node takes no token that lasts longer than {longest_s:.0f} s (--max-token-life-s)."
        )
    now_s = int(time.time())
    claims = {
        "sub": subject,
        "iss": settings.auth_issuer,
        "aud": settings.auth_audience,
        "iat": now_s,
        "exp": now_s + life_s,
        "jti": uuid7(),
        **({"name": name} if name else {}),
    }
    click.echo(signed(_signing_key(settings), claims))


def signed(key: TokenKey, claims: dict[str, object]) -> str:
    header = {"alg": key.algorithm, "kid": key.id}
    return jwt.encode(header, claims, key.key, [key.algorithm], REGISTRY)


def _signing_key(settings: Settings) -> TokenKey:
    secret = settings.auth_secret
    options = TokenOptions(
        secret=None if secret is None else secret.get_secret_value(), keys_file=settings.auth_keys_file
    )
    for keys in fixed_keys(options):
        if keys.signing is not None:
            return keys.signing
    raise ConfigurationError(
        "There is no key here that can sign: give a private one with --auth-keys-file, or the shared secret "
        "in THREADLINE_AUTH_SECRET."
    )
