"""Starting where Redis is absent or unfit: said in one paragraph, by the start and by `threadline doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.contract.redis_servers import RedisServer, free_port, redis_server

from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run

pytestmark = pytest.mark.redis


def doctor(capsys: pytest.CaptureFixture[str], url: str, *options: str) -> tuple[Exit, str]:
    code = run(["doctor", "--port", "0", "--redis", url, "--start-timeout-s", "1", *options])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out


@pytest.mark.parametrize("verb", [["serve", "--port", "0"], ["worker", "tests.faults.teller:agent"]])
def test_without_redis_a_start_waits_and_then_ends_with_3(
    verb: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("threadline_server.cli.serve.set_up_logs", lambda level, form: None)
    monkeypatch.setattr("threadline_server.cli.worker.set_up_logs", lambda level, form: None)
    monkeypatch.setenv("THREADLINE_START_TIMEOUT_S", "1")
    code = run([*verb, "--redis", f"redis://127.0.0.1:{free_port()}/0"])
    said = " ".join(capsys.readouterr().err.split())
    assert code is Exit.COULD_NOT_START
    assert "Redis did not answer for 1 s" in said
    assert "--start-timeout-s" in said
    assert [record.message for record in caplog.records if "Waiting for Redis" in record.message]


@contextmanager
def unfit(how: str) -> Iterator[tuple[RedisServer, str]]:
    """A Redis in which something is wrong, and its URL."""
    options = {
        "keeps nothing": {"appendonly": "no"},
        "evicts": {"maxmemory": "100mb", "maxmemory_policy": "allkeys-lru"},
        "asks for a password": {"requirepass": "secret"},
    }.get(how, {})
    with redis_server_with(options) as server:
        if how == "lacks a permission":
            client = server.client
            client.execute_command(  # type: ignore[no-untyped-call]
                "ACL", "SETUSER", "node", "on", ">word", "~tl:*", "&tl:*", "+@all", "-xadd"
            )
            client.close()
            yield server, server.url.replace("redis://", "redis://node:word@")
        else:
            yield server, server.url


@contextmanager
def redis_server_with(options: dict[str, str]) -> Iterator[RedisServer]:
    if "requirepass" not in options:
        with redis_server(**options) as server:
            yield server
        return
    with redis_server() as server, server.client as client:
        client.config_set("requirepass", options["requirepass"])
        yield server


@pytest.mark.parametrize(
    ("how", "remedy"),
    [
        ("keeps nothing", "appendonly yes"),
        ("evicts", "maxmemory-policy noeviction"),
        ("asks for a password", "Put user and password into the URL"),
        ("lacks a permission", "Grant it: ACL SETUSER"),
    ],
)
def test_the_doctor_names_what_is_wrong_with_redis(
    how: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with unfit(how) as (_, url):
        code, said = doctor(capsys, url)
    assert code is Exit.FAILED
    assert "FIX   redis" in said
    assert remedy in said


def test_the_doctor_names_a_replica_a_weak_promise_and_an_absent_redis(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with redis_server() as primary:
        assert doctor(capsys, primary.url)[0] is Exit.DONE
        code, said = doctor(capsys, primary.url, "--durability", "fsync")
        assert (code, "appendfsync always" in said) == (Exit.FAILED, True)
        with redis_server(replicaof=f"127.0.0.1 {primary.port}") as replica:
            code, said = doctor(capsys, replica.url)
            assert (code, "give the URL of its primary" in said) == (Exit.FAILED, True)
    code, said = doctor(capsys, primary.url)
    assert (code, "did not answer for 1 s" in said) == (Exit.FAILED, True)
