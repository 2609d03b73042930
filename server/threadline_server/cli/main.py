"""`threadline VERB`: each verb is one module of this package, imported only when it is used."""

from __future__ import annotations

import gc
import importlib
import sys
from typing import NoReturn

import click

from threadline.errors import ConfigurationError, ThreadlineError
from threadline_server.cli.exits import Exit, say
from threadline_server.startup import CouldNotStart

VERBS = {
    "demo": "Server, worker and web page in one process on this machine.",
    "serve": "Run a node.",
    "worker": "Run agents for the sessions of other nodes.",
    "chat": "Take part in a session from the terminal.",
    "token": "Print a signed token for a user, for development.",
    "keys": "Make and change the keys under which sessions are encrypted.",
    "session": "Look at sessions, prove that they are sound, move and remove them.",
    "backup": "Copy the embedded store while its node runs.",
    "restore": "Make a store of a backup.",
    "migrate": "Copy every session from one store into another.",
    "conformance": "Try the promises of the protocol on a running server.",
    "load": "Find out what a running server can carry.",
    "doctor": "Check what a node needs, and say how to mend what is missing.",
    "config": "Show, check and explain the settings.",
}


class Verbs(click.Group):
    """A group whose commands are modules: `serve` is `threadline_server.cli.serve.serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        gc.disable()  # what is imported stays: looking through it took a fifth of a start
        try:
            module = importlib.import_module(f"threadline_server.cli.{cmd_name}")
        finally:
            gc.freeze()
            gc.enable()
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="threadline", message="threadline %(version)s")
def threadline() -> None:
    """Threadline: one conversation with an agent, on every device.

    `threadline VERB --help` tells more.
    """


def main() -> NoReturn:
    """Run the command line and end the process with one of the codes of `Exit`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> Exit:
    """Run one command; whatever goes wrong is said in one paragraph on standard error."""
    try:
        result = threadline.main(arguments, prog_name="threadline", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return Exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        return Exit(error.exit_code)
    except click.Abort:
        return Exit.FAILED
    except ConfigurationError as error:
        return say(error, Exit.USAGE)
    except CouldNotStart as error:
        return say(error, Exit.COULD_NOT_START)
    except ThreadlineError as error:
        return say(error, Exit.FAILED)
    return Exit(result) if isinstance(result, int) else Exit.DONE
