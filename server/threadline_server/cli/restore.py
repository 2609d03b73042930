"""`threadline restore`, which lies beside `backup`."""

from __future__ import annotations

from threadline_server.cli.backup import restore

__all__ = ["restore"]
