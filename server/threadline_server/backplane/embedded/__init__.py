"""The backplane of one machine: SQLite in WAL mode and an in-process bus. Nothing else has to run."""

from threadline_server.backplane.embedded.store import EmbeddedBackplane

__all__ = ["EmbeddedBackplane"]
