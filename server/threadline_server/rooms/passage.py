"""One update on its way into the item index, a little at a time, whoever it comes from."""

from __future__ import annotations

from time import perf_counter_ns

from threadline_server.rooms.admission import Admission
from threadline_server.rooms.update_reader import ParsedUpdate, Reading
from threadline_server.rooms.verdict import Verdict


class Passage:
    """`verdict` is there once `advance` gives True; nothing else may be brought to the gate until then."""

    __slots__ = ("_admission", "_reading", "verdict")

    def __init__(self, reading: Reading) -> None:
        self.verdict: Verdict | None = None
        self._reading: Reading = reading
        self._admission: Admission | None = None

    def advance(self, until_ns: int) -> bool:
        """Go on until about `until_ns` by `perf_counter_ns`; whether that was the end. Raises as `step`."""
        while not self.step():
            if perf_counter_ns() > until_ns:
                return False
        return True

    def step(self) -> bool:
        """Go on for some 50 us; whether that was the end."""
        raise NotImplementedError

    @property
    def parsed(self) -> ParsedUpdate:
        """The update, as far as it was read."""
        return self._reading.parsed
