"""A Redis URL: where to connect first, what kind of deployment is there, and how to prove who we are.

redis://[user:password@]host:port/db       one Redis, or any node of a Cluster
rediss://...?ssl_ca_certs=...              the same over TLS
unix://path?db=0
redis+cluster://host:port,host:port        several nodes of a Cluster to start from
redis+sentinel://host:port,host:port/name/db   the primary that the Sentinels name
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url

from threadline.errors import ConfigurationError

DEFAULT_PORT: Final = 6379
SENTINEL_PORT: Final = 26379


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port, or the path of a socket with port 0."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a URL says. `sentinel` is the name of the primary that Sentinels are asked for."""

    addresses: tuple[Address, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: ssl.SSLContext | None = None
    sentinel: str | None = None
    cluster: bool = False


def parse_endpoint(url: str) -> Endpoint:
    """Raises ConfigurationError."""
    try:
        scheme = url.partition("://")[0]
        if scheme == "redis+sentinel":
            return _sentinel(url)
        if scheme == "redis+cluster":
            return _several(url)
        return _one(url)
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"The Redis URL cannot be used ({error}). Write it like redis://user:password@host:6379/0."
        ) from error


def _one(url: str) -> Endpoint:
    options: dict[str, Any] = dict(parse_url(url))
    if "path" in options:
        address = Address(options["path"], 0)
    else:
        address = Address(options.get("host", "localhost"), options.get("port", DEFAULT_PORT))
    tls = _tls(options) if url.startswith("rediss") else None
    return Endpoint((address,), options.get("username"), options.get("password"), options.get("db", 0), tls)


def _several(url: str) -> Endpoint:
    username, password, hosts, _ = _split(url)
    addresses = tuple(_address(host, DEFAULT_PORT) for host in hosts.split(","))
    return Endpoint(addresses, username, password, cluster=True)


def _sentinel(url: str) -> Endpoint:
    username, password, hosts, path = _split(url)
    name, _, db = path.strip("/").partition("/")
    if not name:
        raise ValueError("the name of the primary is missing, as in redis+sentinel://host:26379/mymaster")
    addresses = tuple(_address(host, SENTINEL_PORT) for host in hosts.split(","))
    return Endpoint(addresses, username, password, int(db or 0), sentinel=name)


def _split(url: str) -> tuple[str | None, str | None, str, str]:
    """User, password, hosts and path. `urlsplit` takes several hosts for one, and refuses the brackets of
    the second.
    """
    netloc, _, path = url.partition("://")[2].partition("?")[0].partition("/")
    credentials, _, hosts = netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    return unquote(username) or None, unquote(password) or None, hosts, path


def _address(text: str, default_port: int) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return Address(parts.hostname, parts.port or default_port)


def _tls(options: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    if options.get("ssl_cert_reqs") in ("none", "None"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif "ssl_check_hostname" in options:
        context.check_hostname = bool(options["ssl_check_hostname"])
    return context
