"""A session id on the command line."""

from __future__ import annotations

from typing import Any

import click

from threadline.ids import SessionId, parse_session_id


class SessionName(click.ParamType[SessionId]):
    name = "session"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SessionId:
        try:
            return parse_session_id(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


SESSION = SessionName()
