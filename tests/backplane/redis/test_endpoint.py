"""What a Redis URL says."""

from __future__ import annotations

import ssl

import pytest

from threadline.errors import ConfigurationError
from threadline_server.backplane.redis.endpoint import Address, parse_endpoint


def test_one_redis() -> None:
    endpoint = parse_endpoint("redis://ada:p%40ss@db.example:6380/2")
    assert endpoint.addresses == (Address("db.example", 6380),)
    assert (endpoint.username, endpoint.password, endpoint.db) == ("ada", "p@ss", 2)
    assert endpoint.tls is None
    assert "p@ss" not in repr(endpoint)


def test_tls() -> None:
    assert parse_endpoint("rediss://db.example").tls is not None
    unchecked = parse_endpoint("rediss://db.example?ssl_cert_reqs=none").tls
    assert unchecked is not None
    assert unchecked.verify_mode == ssl.CERT_NONE


def test_a_socket() -> None:
    endpoint = parse_endpoint("unix:///run/redis.sock?db=1")
    assert (endpoint.addresses, endpoint.db) == ((Address("/run/redis.sock", 0),), 1)


def test_nodes_of_a_cluster() -> None:
    endpoint = parse_endpoint("redis+cluster://ada:pw@a:7000,b:7001,[::1]:7002")
    assert endpoint.addresses == (Address("a", 7000), Address("b", 7001), Address("::1", 7002))
    assert (endpoint.username, endpoint.cluster) == ("ada", True)


def test_sentinels() -> None:
    endpoint = parse_endpoint("redis+sentinel://:pw@a,b:26380/mymaster/3")
    assert endpoint.addresses == (Address("a", 26379), Address("b", 26380))
    assert (endpoint.sentinel, endpoint.db, endpoint.password) == ("mymaster", 3, "pw")


@pytest.mark.parametrize(
    "url", ["redis+sentinel://a:1", "redis+cluster://", "http://a", "redis://a:port", "x"]
)
def test_what_is_no_url_of_redis_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis URL"):
        parse_endpoint(url)
