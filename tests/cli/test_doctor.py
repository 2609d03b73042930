"""`threadline doctor`: each check by itself, and the whole beside a node that runs."""

from __future__ import annotations

import asyncio
import datetime
import resource
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.contract.redis_servers import redis_server

from threadline_server.app import running_server
from threadline_server.cli import checks_machine, checks_store
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.settings import load


def doctor(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[Exit, str]:
    few = ["doctor", "--max-connections", "100", *(str(argument) for argument in arguments)]
    code = run(few)
    return code, capsys.readouterr().out


def test_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = doctor(capsys, "--data", tmp_path / "data", "--port", "0")
    assert code is Exit.DONE, said
    for name in (
        "versions",
        "processors",
        "memory",
        "open files",
        "clock",
        "address",
        "disk",
        "sync",
        "store",
    ):
        assert f"ok    {name}:" in said


def test_a_taken_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = doctor(capsys, "--data", tmp_path, "--port", port)
    assert (code, f"FIX   address: Port {port}" in said) == (Exit.FAILED, True)


def test_too_few_files(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 4096))
    code, said = doctor(capsys, "--port", "0")
    assert (code, "FIX   open files" in said, "Run `ulimit -n 164`" in said) == (Exit.FAILED, True, True)


def test_a_clock_that_was_never_set_or_is_not_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_machine, "_is_synchronized", lambda: False)
    assert "FIX   clock: nothing keeps the clock right" in doctor(capsys, "--port", "0")[1]
    monkeypatch.setattr(checks_machine, "OLDEST_SENSIBLE_S", 1 << 60)
    assert "FIX   clock: the clock was never set" in doctor(capsys, "--port", "0")[1]


def test_a_slow_disk_and_a_full_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_store, "SLOW_SYNC_S", -1.0)
    monkeypatch.setattr(checks_store, "LEAST_FREE_BYTES", 1 << 80)
    code, said = doctor(capsys, "--data", tmp_path, "--port", "0")
    assert code is Exit.FAILED
    assert "FIX   sync: this disk takes" in said
    assert "FIX   disk: only" in said


def test_a_store_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "threadline.sqlite3").write_bytes(b"no database" * 1000)
    code, said = doctor(capsys, "--data", tmp_path, "--port", "0")
    assert (code, "FIX   store:" in said) == (Exit.FAILED, True)


@pytest.mark.asyncio
async def test_beside_a_node_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_server(load({"port": 0, "data": tmp_path}, {})):
        code, said = await asyncio.to_thread(doctor, capsys, "--data", tmp_path, "--port", "0")
    assert (code, "ok    store: can be read" in said) == (Exit.DONE, True)


def test_agents_and_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    tls = ("--tls-certificate", certificate, "--tls-key", key, "--port", "0", "--data", tmp_path)
    for days, says in ((365, "ok    certificate: good until"), (3, "FIX   certificate:"), (-1, "ended on")):
        write_certificate(certificate, key, days)
        assert says in doctor(capsys, *tls)[1]
    code, said = doctor(capsys, "--agent", "nowhere:agent", "--port", "0", "--data", tmp_path)
    assert (code, "FIX   agents: --agent nowhere:agent" in said) == (Exit.FAILED, True)


def write_certificate(certificate: Path, key: Path, days: int) -> None:
    """One that ends in so many days."""
    private = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chat.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(private, None)
    )
    assert isinstance(made, x509.Certificate)
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.redis
def test_redis_and_its_clock(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server() as server:
        code, said = doctor(capsys, "--redis", server.url, "--port", "0")
        assert (code, "ok    redis: acknowledgements mean" in said, "MiB used" in said) == (
            Exit.DONE,
            True,
            True,
        )
        monkeypatch.setattr(checks_store, "MOST_SKEW_S", -1.0)
        code, said = doctor(capsys, "--redis", server.url, "--port", "0")
        assert (code, "FIX   redis: the clocks of this machine and of Redis" in said) == (Exit.FAILED, True)
