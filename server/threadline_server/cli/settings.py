"""`threadline settings`: every option with its default, and the value in force here."""

from __future__ import annotations

import os

import click

from threadline_server.settings import Settings, flag_of, load, variable_of


@click.command()
def settings() -> None:
    """List every option: flag, environment variable, value in force, meaning.

    A value that differs from the default is marked with a star.
    """
    in_force = load({}, os.environ)
    for name, field in Settings.model_fields.items():
        value = getattr(in_force, name)
        mark = "" if value == field.default else " *"
        click.echo(f"{flag_of(name)}  {variable_of(name)}  {_shown(value)}{mark}")
        click.echo(f"    {field.description}")


def _shown(value: object) -> str:
    if value is None or value == ():
        return "-"
    return ",".join(value) if isinstance(value, tuple) else str(value)
