from __future__ import annotations

from threadline_server.telemetry.health import Health


def test_ready_when_every_check_holds() -> None:
    store_there = True
    health = Health()
    health.add("store", lambda: store_there)
    health.add("accepting", lambda: True)
    assert health.readiness().ready

    store_there = False
    assert not health.readiness().ready
    assert health.readiness().checks == {"store": False, "accepting": True}
