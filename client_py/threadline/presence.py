"""Who is here: the awareness states of one session, one's own among them.

The server sets the identity fields of a state (`user`, `device`, `name`, `role`); what a device puts beside
them is its own affair, for instance `typing` or a cursor. States are never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from threadline.protocol.awareness import AwarenessEntry, State

EXPIRES_AFTER_S = 30.0
"""As in y-protocols: a state that is not renewed for so long is of a device that is gone."""

RENEW_EVERY_S = 15.0

MAX_MEMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Present:
    """One device that is here. `state` holds everything it says of itself."""

    client_id: int
    user: str
    device: str
    name: str
    state: Mapping[str, Any]


@dataclass(slots=True)
class _Known:
    clock: int
    state: State | None
    seen_s: float


class Presence:
    """The devices in a session: iterate over it, or take `users`; `set(typing=True)` speaks of oneself.

    `now` gives seconds of a monotonic clock.
    """

    def __init__(self, client_id: int, now: Callable[[], float]) -> None:
        self.client_id = client_id
        self.on_own: Callable[[], None] = _nothing
        self.on_change: Callable[[], None] = _nothing
        self._now = now
        self._own: State = {}
        self._clock = 0
        self._known: dict[int, _Known] = {}

    def __iter__(self) -> Iterator[Present]:
        return iter([_present(client, known.state) for client, known in self._alive()])

    def __len__(self) -> int:
        return len(self._alive())

    def __contains__(self, user: object) -> bool:
        return any(present.user == user for present in self)

    def __repr__(self) -> str:
        return f"Presence({', '.join(self.users) or 'nobody'})"

    @property
    def users(self) -> list[str]:
        """The names of those who are here, each once, in alphabetical order."""
        return sorted({present.user for present in self if present.user})

    @property
    def mine(self) -> State:
        return dict(self._own)

    def set(self, **fields: Any) -> None:
        """Change fields of one's own state; None removes one."""
        merged = {**self._own, **fields}
        self._own = {key: value for key, value in merged.items() if value is not None}
        self.on_own()

    def entry(self) -> AwarenessEntry:
        """One's own state under a clock not used before: what announces, renews or changes it."""
        self._clock += 1
        return AwarenessEntry(self.client_id, self._clock, dict(self._own))

    def farewell(self) -> AwarenessEntry:
        self._clock += 1
        return AwarenessEntry(self.client_id, self._clock, None)

    def receive(self, entries: tuple[AwarenessEntry, ...]) -> None:
        """Take what the server relays, as y-protocols rules: a higher clock, or an equal one with null."""
        for entry in entries:
            self._receive_one(entry)
        self.on_change()

    def forget_others(self) -> None:
        """The connection is gone: nobody is known to be here."""
        self._known.clear()
        self.on_change()

    def _receive_one(self, entry: AwarenessEntry) -> None:
        known = self._known.get(entry.client)
        if known is not None and not _is_news(known, entry):
            return
        if known is None and len(self._known) >= MAX_MEMBERS:
            self._drop_departed()
            if len(self._known) >= MAX_MEMBERS:
                return
        if entry.client == self.client_id:
            self._clock = max(self._clock, entry.clock)
            if entry.state is None:  # peers have seen a later clock of ours: announce ourselves above it
                self.on_own()
        self._known[entry.client] = _Known(entry.clock, entry.state, self._now())

    def _drop_departed(self) -> None:
        alive = {client for client, _ in self._alive()}
        self._known = {client: known for client, known in self._known.items() if client in alive}

    def _alive(self) -> list[tuple[int, _Known]]:
        after = self._now() - EXPIRES_AFTER_S
        return [
            (client, known)
            for client, known in self._known.items()
            if known.state is not None and known.seen_s >= after
        ]


def _is_news(known: _Known, entry: AwarenessEntry) -> bool:
    if entry.clock == known.clock:
        return entry.state is None and known.state is not None
    return entry.clock > known.clock


def _present(client: int, state: State | None) -> Present:
    fields = state or {}
    words = {name: fields.get(name) for name in ("user", "device", "name")}
    user, device, name = (value if isinstance(value, str) else "" for value in words.values())
    return Present(client, user, device, name, dict(fields))


def _nothing() -> None:
    """Nobody is listening."""
