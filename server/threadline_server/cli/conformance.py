"""`threadline conformance URL`: does a server keep the promises of the protocol?"""

from __future__ import annotations

import asyncio

import click

from threadline_server.cli.exits import Exit
from threadline_server.trials.conformance import Finding
from threadline_server.trials.conformance import conformance as findings_of
from threadline_server.trials.device import PATIENCE_S, NotReached
from threadline_server.trials.promises import Server


@click.command()
@click.argument("url")
@click.option(
    "--token", default="conformance", help="A token that the server takes; its user makes sessions."
)
@click.option(
    "--patience-s", type=float, default=PATIENCE_S, help="How long to wait for an answer. Default 10."
)
@click.pass_context
def conformance(ctx: click.Context, url: str, token: str, patience_s: float) -> None:
    """Try every promise of the protocol on the server at URL, in both dialects.

    It makes sessions named conformance-... and deletes them. Ends with 1 where a promise is broken.
    """
    try:
        findings = asyncio.run(_all(Server(url, token, patience_s)))
    except NotReached as error:
        raise click.ClickException(str(error)) from error
    broken = sum(bool(finding.broken) for finding in findings)
    click.echo(f"\n{len(findings) - broken} kept, {broken} broken")
    if broken:
        ctx.exit(Exit.FAILED)


async def _all(server: Server) -> list[Finding]:
    findings = []
    async for finding in findings_of(server):
        findings.append(finding)
        click.echo(
            f"{'FAIL' if finding.broken else 'ok  '}  {finding.dialect:<11}  {finding.promise.sentence}"
        )
        if finding.broken:
            click.echo(f"                   {finding.broken}")
    return findings
