"""How much of something each user, or each address, has open on this node, and how much that may be."""

from __future__ import annotations

from threadline.protocol.close_codes import OVERLOADED
from threadline_server.edge.connection import Dismissed


class Occupancy:
    """`what` names it for people; a `most` of 0 counts nothing and allows everything."""

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._most = most
        self._open: dict[str, int] = {}
        self.refused_total = 0

    def enter(self, key: str) -> None:
        """One more for `key`. Raises Dismissed where that is too many."""
        if not self._most:
            return
        count = self._open.get(key, 0)
        if count >= self._most:
            self.refused_total += 1
            raise Dismissed(OVERLOADED, f"at most {self._most} {self._what}")
        self._open[key] = count + 1

    def leave(self, key: str) -> None:
        """One less; for each `enter` that went well."""
        count = self._open.get(key, 0)
        if count > 1:
            self._open[key] = count - 1
        else:
            self._open.pop(key, None)

    def count(self, key: str) -> int:
        return self._open.get(key, 0)

    def stats(self) -> dict[str, float]:
        return {"holders": len(self._open), "refused_total": self.refused_total}
