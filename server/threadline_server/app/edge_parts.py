"""What the edge of a node is made of, as settings have it."""

from __future__ import annotations

import time
from pathlib import Path

from threadline.errors import ConfigurationError
from threadline_server.backplane.base import Backplane
from threadline_server.edge.http_protocol import RequestBounds
from threadline_server.edge.identity import Identity, TokenOptions
from threadline_server.edge.options import EdgeOptions
from threadline_server.serving import Tls
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart


def identity_of(backplane: Backplane, settings: Settings) -> Identity:
    secret = settings.auth_secret
    options = TokenOptions(
        secret=None if secret is None else secret.get_secret_value(),
        keys_file=settings.auth_keys_file,
        jwks_url=settings.auth_jwks_url,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        url_tokens=settings.url_tokens == "any",
        bounds=settings.pick(EdgeOptions),
    )
    try:
        return Identity(backplane, options, time.time, time.monotonic, way=settings.auth)
    except ConfigurationError as error:
        raise CouldNotStart(error.message) from error


def request_bounds_of(options: EdgeOptions) -> RequestBounds:
    return RequestBounds(options.max_request_head_bytes, options.request_head_s, options.request_body_s)


def tls_of(settings: Settings) -> Tls | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)


def web_page_directory() -> Path | None:
    """The built page, inside an installed package or in a checkout; None where it is not built."""
    package = Path(__file__).parents[1]
    places = (package / "web", package.parents[1] / "web_demo" / "dist")
    return next((place for place in places if (place / "index.html").is_file()), None)
