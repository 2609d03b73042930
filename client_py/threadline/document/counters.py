"""Counters that add up: each client id writes its own share, and the value is the sum of all shares."""

from __future__ import annotations

import math
from collections.abc import Iterator

from threadline.document.shared_map import SharedMap, keys_of, value_at
from threadline.document.values import plain

FOLDED = "0"  # the share into which upkeep folds those of retired client ids; no client has the id 0


class Counters:
    """`counters["views"]` reads, `counters.add("views", 1)` adds. A counter that nobody has added to is 0."""

    def __init__(self, entries: SharedMap) -> None:
        self._map = entries

    def __getitem__(self, name: str) -> int | float:
        prefix = name + "/"
        return sum(self._share(key) for key in keys_of(self._map) if _counter_of(key) + "/" == prefix)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({_counter_of(key) for key in keys_of(self._map) if "/" in key}))

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def to_dict(self) -> dict[str, int | float]:
        totals: dict[str, int | float] = {}
        for key in keys_of(self._map):
            if "/" in key:
                totals[_counter_of(key)] = totals.get(_counter_of(key), 0) + self._share(key)
        return dict(sorted(totals.items()))

    def add(self, name: str, amount: int | float = 1) -> int | float:
        """Add to this replica's share and give back the new value. Raises ValueError for what is not
        finite.
        """
        if isinstance(amount, bool) or not math.isfinite(amount):
            raise ValueError(f"A counter takes finite numbers, not {amount!r}.")
        key = f"{name}/{self._map.doc.client_id}"
        with self._map.doc.transaction():
            self._map[key] = self._share(key) + amount
        return self[name]

    def fold(self, name: str, retired: set[int]) -> bool:
        """Move the shares of client ids that write no more into one. Only the server may, and only one at a
        time.
        """
        folded = f"{name}/{FOLDED}"
        keys = [key for key in (f"{name}/{client}" for client in sorted(retired)) if key in self._map]
        if not keys:
            return False
        with self._map.doc.transaction():
            self._map[folded] = self._share(folded) + sum(map(self._share, keys))
            for key in keys:
                del self._map[key]
        return True

    def _share(self, key: str) -> int | float:
        value = plain(value_at(self._map, key))
        return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _counter_of(key: str) -> str:
    return key.rpartition("/")[0]
