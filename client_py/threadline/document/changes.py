"""What a run has changed of the state, leaf by leaf, so that it can be taken back long after it ended.

For each leaf there is what was there before the run wrote it and what the run left. Where somebody else has
written it in between, what they wrote is what was there before. Taking back puts a leaf back only if it still
holds what the run left: what others have set since is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from threadline.document.shared_map import SharedMap, plain_values
from threadline.document.values import JSON, mapping_of, plain, same

MAX_BYTES = 65_536

Held = tuple[JSON, ...]
"""One value, or none where there is no entry."""


@dataclass(frozen=True, slots=True)
class LeafChange:
    before: Held
    after: Held


class Changes:
    """By the key of a leaf. `is_whole` is False where there was more than is kept."""

    def __init__(self, leaves: Mapping[str, LeafChange] | None = None, *, is_whole: bool = True) -> None:
        self._leaves = dict(leaves or {})
        self.is_whole = is_whole

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[tuple[str, LeafChange]]:
        return iter(sorted(self._leaves.items()))

    def note(self, key: str, before: Held, after: Held) -> None:
        """The run has put `after` where `before` was."""
        known = self._leaves.pop(key, None)
        if known is not None and same(list(known.after), list(before)):
            before = known.before
        if not same(list(before), list(after)):
            self._leaves[key] = LeafChange(before, after)

    def overtake(self, key: str) -> bool:
        """Somebody else has written a leaf: what the run left there is gone. Whether it had left anything."""
        return self._leaves.pop(key, None) is not None

    def to_json(self) -> dict[str, JSON]:
        leaves: dict[str, JSON] = {key: [list(leaf.before), list(leaf.after)] for key, leaf in self}
        if not self.is_whole or len(json.dumps(leaves).encode()) > MAX_BYTES:
            return {"is_whole": False}
        return {"leaves": leaves}

    @classmethod
    def from_json(cls, value: JSON) -> Changes:
        fields = mapping_of(value)
        leaves: dict[str, LeafChange] = {}
        for key, pair in mapping_of(fields.get("leaves")).items():
            match pair:
                case [list(before), list(after)]:
                    leaves[key] = LeafChange(tuple(before), tuple(after))
        return cls(leaves, is_whole=fields.get("is_whole") is not False)

    def take_back(self, state: SharedMap) -> tuple[list[str], list[str]]:
        """Put leaves back, in one transaction. Those that were, and those that others have changed since."""
        restored, left = [], []
        with state.doc.transaction():
            now = plain_values(state, self._leaves)
            for key, leaf in self:
                held: Held = (now[key],) if key in now else ()
                if not same(list(held), list(leaf.after)):
                    left.append(key)
                    continue
                restored.append(key)
                if leaf.before:
                    state[key] = leaf.before[0]
                elif key in state:
                    del state[key]
        return restored, left


class ChangeWatch:
    """Notes what is written into the state: by transactions without an origin, which are one's own, and by
    others.
    """

    def __init__(self, state: SharedMap, changes: Changes) -> None:
        self.changes = changes
        self.is_new = False
        self._state = state
        self._subscription = state.observe(self._observed)

    def close(self) -> None:
        self._state.unobserve(self._subscription)

    def _observed(self, event: Any) -> None:
        if event.transaction.origin is not None:
            overtaken = [self.changes.overtake(key) for key in event.keys]
            self.is_new = self.is_new or any(overtaken)
            return
        for key, change in event.keys.items():
            self.is_new = True
            self.changes.note(key, _held(change, "oldValue"), _held(change, "newValue"))


def _held(change: Mapping[str, object], name: str) -> Held:
    return (plain(change[name]),) if name in change else ()
