"""`threadline load URL`: what can this server carry?"""

from __future__ import annotations

import asyncio
import sys

import click

from threadline_server.cli.exits import Exit
from threadline_server.trials.device import NotReached, WaitedInVain
from threadline_server.trials.load import Load, Plan, Step


@click.command()
@click.argument("url")
@click.option("--token", default="load", help="A token that the server takes; its user makes sessions.")
@click.option("--devices", type=click.IntRange(1, 10_000), default=100, help="Devices. Default 100.")
@click.option(
    "--sessions", type=click.IntRange(1, 10_000), default=10, help="They share so many. Default 10."
)
@click.option("--step-s", type=float, default=3.0, help="Seconds for each rate. Default 3.")
@click.option("--most", type=click.IntRange(min=1), default=12_800, help="Highest rate tried. Default 12800.")
@click.option(
    "--slow-ms", type=float, default=250.0, help="An acknowledgement is slow above this. Default 250."
)
@click.pass_context
def load(
    ctx: click.Context,
    url: str,
    token: str,
    devices: int,
    sessions: int,
    step_s: float,
    most: int,
    slow_ms: float,
) -> None:
    """Let more and more be written on the server at URL, and say what it carried.

    It makes sessions named load-... and deletes them. Do not run it against a server that people need.
    """
    plan = Plan(devices, min(sessions, devices), step_s, most, slow_ms / 1000)
    try:
        steps = asyncio.run(_run(Load(url, token, plan, _progress)))
    except (NotReached, WaitedInVain) as error:
        raise click.ClickException(str(error)) from error
    click.echo(_summary(plan, steps))
    if steps[0].is_too_much(plan):
        ctx.exit(Exit.FAILED)


async def _run(load: Load) -> list[Step]:
    steps: list[Step] = []
    async for step in load.steps():
        if not steps:
            click.echo(f"All devices joined in {load.joined_s:.1f} s\n")
            click.echo(f"{'wanted/s':>9} {'saved/s':>9} {'delivered/s':>12} {'p50 ms':>8} {'p99 ms':>8}")
        steps.append(step)
        click.echo(
            f"{step.wanted:>9} {step.updates:>9.0f} {step.deliveries:>12.0f} "
            f"{step.p50_s * 1000:>8.1f} {step.p99_s * 1000:>8.1f}"
        )
    return steps


def _summary(plan: Plan, steps: list[Step]) -> str:
    carried = [step for step in steps if not step.is_too_much(plan)]
    if not carried:
        return "\nEven the lowest rate was too much for it."
    best, last = carried[-1], steps[-1]
    said = (
        f"\nIt carried {best.updates:,.0f} saved updates and {best.deliveries:,.0f} deliveries a second from "
        f"{plan.devices} devices in {plan.sessions} sessions; 99 of 100 were saved within "
        f"{best.p99_s * 1000:.0f} ms."
    )
    if last.is_our_own_fault:
        return said + " This program was itself too slow for more: run several of it, or `make bench`."
    return said if last is best else said + f" At {last.wanted:,} a second it fell behind."


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{text}", nl=False, err=True)
