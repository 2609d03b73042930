"""`threadline doctor`: would a node start here, and run well? Each check names its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
from cryptography import x509

from threadline.errors import ConfigurationError, StoreError
from threadline_server.agent_loading import load_agent
from threadline_server.cli import checks_machine, checks_store
from threadline_server.cli.ailment import Ailment, Check
from threadline_server.cli.exits import Exit
from threadline_server.cli.options import settings_options
from threadline_server.serving import Tls, listen
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart

RENEW_BEFORE = timedelta(days=14)


@click.command()
@settings_options()
@click.pass_context
def doctor(ctx: click.Context, settings: Settings) -> None:
    """Check what a node needs, and say how to mend what is missing. Takes every flag of `threadline serve`.

    The machine, its limits and clock, the address, the store or Redis, certificates and agents. Exits with 1
    when something would keep a node from running well.
    """
    ailments = 0
    for name, check in _checks(settings):
        try:
            click.echo(f"ok    {name}: {check(settings)}")
        except Ailment as ailment:
            ailments += 1
            click.echo(f"FIX   {name}: {ailment}")
        except (CouldNotStart, ConfigurationError, StoreError) as error:
            ailments += 1
            click.echo(f"FIX   {name}: {error.message}")
    if ailments:
        ctx.exit(Exit.FAILED)


def _checks(settings: Settings) -> Iterator[tuple[str, Check]]:
    yield "versions", checks_machine.versions
    yield "processors", checks_machine.processors
    yield "memory", checks_machine.memory
    yield "open files", checks_machine.open_files
    yield "clock", checks_machine.clock
    yield "web page", checks_machine.web_page
    yield "address", _address
    if settings.redis is None:
        yield "data directory", checks_store.data_directory
        yield "disk", checks_store.disk
        yield "sync", checks_store.sync
        yield "store", checks_store.embedded
    else:
        yield "redis", checks_store.redis
    if settings.tls_certificate is not None:
        yield "certificate", _certificate
    if settings.agent:
        yield "agents", _agents


def _address(settings: Settings) -> str:
    listen(settings.host, settings.port).close()
    return f"{settings.host} port {settings.port} is free"


def _certificate(settings: Settings) -> str:
    assert settings.tls_certificate is not None and settings.tls_key is not None
    tls = Tls(settings.tls_certificate, settings.tls_key)
    ends = x509.load_pem_x509_certificates(tls.certificate.read_bytes())[0].not_valid_after_utc
    left = ends - datetime.now(UTC)
    if left < RENEW_BEFORE:
        said = "ended" if left < timedelta() else "ends"
        raise Ailment(f"{tls.certificate} {said} on {ends:%Y-%m-%d}. Renew it, then restart the node.")
    return f"good until {ends:%Y-%m-%d}"


def _agents(settings: Settings) -> str:
    for path in settings.agent:
        load_agent(path)
    return f"{', '.join(settings.agent)} can be imported"
