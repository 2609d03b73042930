"""The table of file descriptors is large before anybody is connected."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from threadline_server.descriptors import make_room_for


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_room_is_made_as_far_as_the_process_may() -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    make_room_for(10_000)
    [size] = [
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("FDSize")
    ]
    assert size >= min(10_000, most)
