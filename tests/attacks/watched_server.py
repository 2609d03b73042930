"""The server as it is, with an eye on its event loop that misses little."""

from __future__ import annotations

from threadline_server.cli.main import main
from threadline_server.telemetry import loop_lag

loop_lag.EVERY_S = 0.01

if __name__ == "__main__":
    main()
