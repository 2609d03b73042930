"""`threadline config`: what the settings are, whether they are sound, and where they come from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

import click
from pydantic import SecretStr

from threadline_server.cli.options import settings_options
from threadline_server.cli.settings_page import settings_page
from threadline_server.settings import Given, Settings, checked, gather, is_secret, variable_of

_config = click.option("--config", help="File of settings. [THREADLINE_CONFIG]")


@click.group()
def config() -> None:
    """Show, check and explain the settings.

    A flag beats its variable THREADLINE_NAME, the variable the file that --config names, the file the
    default.
    """


@config.command()
@_config
@click.option("--all", "everything", is_flag=True, help="Those that are at their default, too.")
def show(config: str | None, everything: bool) -> None:
    """List what differs from the defaults, and who set it."""
    given = _given(config)
    settings = checked(given)
    names = [name for name in Settings.model_fields if everything or name in given]
    for name in names:
        source = given[name].source if name in given else "default"
        click.echo(f"{name} = {shown(getattr(settings, name))}  ({source})")
    if not names:
        click.echo("Every setting is at its default.")


@config.command()
@settings_options()
def check(settings: Settings) -> None:
    """Say whether a node would take these settings; takes every flag of `threadline serve`.

    Ends with 2 and the fix where it would not. What lies around the node is for `threadline doctor`.
    """
    changed = len(settings.model_fields_set - {"config"})
    click.echo(f"The settings are sound: {changed} given, the others are at their defaults.")


@config.command()
def docs() -> None:
    """Print the page of all settings, as Markdown."""
    click.echo(settings_page(), nl=False)


@config.command()
@_config
@click.option("--with-secrets", is_flag=True, help="Print secrets too.")
def env(config: str | None, with_secrets: bool) -> None:
    """Print what is given as variables: for an environment file of systemd or a container."""
    given = _given(config)
    settings = checked(given)
    for name in Settings.model_fields:
        if name in given and name != "config":
            click.echo(_assignment(name, getattr(settings, name), with_secrets))


def _given(file: str | None) -> Mapping[str, Given]:
    return gather({"config": file}, os.environ)


def _assignment(name: str, value: object, with_secrets: bool) -> str:
    if is_secret(name) and not with_secrets:
        return f"# {variable_of(name)} is set; --with-secrets prints it"
    plain = value.get_secret_value() if isinstance(value, SecretStr) else shown(value)
    return f"{variable_of(name)}={shlex.quote(plain)}"


def shown(value: object) -> str:
    """A value as it would be given in a variable; - for none."""
    if value is None or value == ():
        return "-"
    return ",".join(value) if isinstance(value, tuple) else str(value)
