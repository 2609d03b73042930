"""Presence in one room: who is here, by y-protocols' awareness, as far as it can be believed.

* Only an entry whose clock advanced is taken and relayed. y-websocket sends back every remote state that it
  applies; relaying those would make N frames out of each cursor move N times over.
* A client id belongs to the member that announced it first, until that member leaves; another connection of
  the same user may take it over: a phone that changes networks comes back before the old socket is dead.
  One that has written in the document is its user's for good; one that has not is kept for who announced it.
* `user`, `role`, `device` and `name` of a state are what the server knows of the member. Where a device keeps
  an object under `user`, as editors with cursors do, its `id` and `name` are set instead.
* Of a member that announces more than a person can, the newest is relayed, a little later.
* The sender gets its own entries back: stock clients take silence for a dead connection.
* States of other nodes' members come through the backplane, already stamped there.

Source of the rules: y-protocols 1.0.7, `awareness.js`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from threadline.actors import Actor
from threadline.protocol.awareness import (
    GONE,
    AwarenessEntry,
    ScannedAwareness,
    State,
    encode_entry,
    join_entries,
    parse_state,
)
from threadline.protocol.limits import Limits
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.options import RoomOptions

BURST_S = 2.0
"""How much of its rate a member may use at once."""

OwnerOf: TypeAlias = Callable[[int], str | None]


def nobody(client: int) -> str | None:
    """The owner of a client id where nothing was written."""
    return None


class Present:
    """One client id that is here. `holder` is the member that announced it, None for another node's."""

    __slots__ = ("clock", "encoded", "holder", "seen_s", "user")

    def __init__(
        self, clock: int, encoded: bytes, user: str, holder: Contributor | None, seen_s: float
    ) -> None:
        self.clock = clock
        self.encoded = encoded
        self.user = user
        self.holder = holder
        self.seen_s = seen_s


class Awareness:
    """What is known, and what changed since the last `take_*`. Times are seconds of a monotonic clock.

    delayed:  changes that were not relayed at once, because their member makes too many
    """

    __slots__ = (
        "_changed",
        "_departed",
        "_due_s",
        "_everyone",
        "_late",
        "_options",
        "_present",
        "_to_nodes",
        "delayed",
    )

    def __init__(self, options: RoomOptions) -> None:
        self._options = options
        self._present: dict[int, Present] = {}
        self._departed: dict[int, int] = {}
        self._changed: dict[int, bytes] = {}
        self._to_nodes: dict[int, bytes] = {}
        self._everyone: bytes | None = None
        self._due_s: dict[Contributor, float] = {}
        self._late: set[int] = set()
        self.delayed = 0

    def __len__(self) -> int:
        return len(self._present)

    def receive(
        self, holder: Contributor, data: bytes, now_s: float, owner: OwnerOf = nobody
    ) -> bytes | None:
        """Take entries from a member; `owner` says who wrote under a client id. Raises MalformedFrame.

        Gives back entries to send to that member alone, if any: a device that comes back under a clock its
        peers have seen is told that clock with a null state, and by y-protocols announces itself above it.
        """
        newcomers: list[int] = []
        scanned = ScannedAwareness(data, self._options.limits)
        for at in range(len(scanned)):
            client, clock = scanned.clients[at], scanned.clocks[at]
            known = self._present.get(client)
            if known is not None:
                if clock >= known.clock:
                    self._renew(known, client, clock, scanned.text(at), holder, now_s)
            elif not scanned.is_gone(at):
                newcomers.append(at)
        again = self._arrive(scanned, newcomers, holder, now_s, owner) if newcomers else None
        return join_entries([encode_entry(entry) for entry in again]) if again else None

    def receive_from_node(self, data: bytes, now_s: float, limits: Limits) -> None:
        """Take entries that another node relays. Raises MalformedFrame."""
        scanned = ScannedAwareness(data, limits)
        for at in range(len(scanned)):
            client, clock = scanned.clients[at], scanned.clocks[at]
            known = self._present.get(client)
            if known is not None and known.holder is not None:
                continue  # ours: the other node's is an older connection of this device
            if scanned.is_gone(at):
                if known is not None and clock >= known.clock:
                    self._remove(client, known, clock)
            elif known is None or clock > known.clock:
                self._relay(AwarenessEntry(client, clock, parse_state(scanned.text(at))), now_s)

    def _relay(self, entry: AwarenessEntry, now_s: float) -> None:
        if entry.state is not None:
            present = Present(entry.clock, encode_entry(entry), _user_of(entry.state), None, now_s)
            self._put(entry.client, present)

    def leave(self, holder: Contributor) -> None:
        """A member is gone: so is everything it announced."""
        self._due_s.pop(holder, None)
        for client, known in list(self._present.items()):
            if known.holder is holder:
                self._remove(client, known, known.clock)

    def expire(self, now_s: float) -> None:
        before = now_s - self._options.awareness_expiry_s
        for client, known in list(self._present.items()):
            if known.seen_s < before:
                self._remove(client, known, known.clock)

    @property
    def late(self) -> bool:
        """Whether something is to be relayed by `release`."""
        return bool(self._late)

    def release(self, now_s: float) -> None:
        """Relay the newest of what was too much, as far as there is room again."""
        for client in tuple(self._late):
            known = self._present[client]
            if known.holder is None or self._in_time(known.holder, now_s):
                self._late.discard(client)
                self._tell(client, known.encoded, to_nodes=known.holder is not None)

    def _in_time(self, holder: Contributor, now_s: float) -> bool:
        """Whether one more change of this member is relayed now; it is counted if so."""
        rate = self._options.awareness_per_second
        if not rate:
            return True
        due_s = max(self._due_s.get(holder, now_s), now_s)
        if due_s - now_s >= BURST_S:
            return False
        self._due_s[holder] = due_s + 1.0 / rate
        return True

    def everyone(self) -> bytes | None:
        """An awareness update with all that are here, None when nobody is."""
        if self._everyone is None and self._present:
            self._everyone = join_entries([known.encoded for known in self._present.values()])
        return self._everyone

    def ours(self) -> bytes | None:
        """As `everyone`, but this node's members only."""
        encoded = [known.encoded for known in self._present.values() if known.holder is not None]
        return join_entries(encoded) if encoded else None

    def take_changed(self) -> bytes | None:
        """What members have not been told yet, as one update."""
        changed, self._changed = self._changed, {}
        return join_entries(changed.values()) if changed else None

    def take_to_nodes(self) -> bytes | None:
        """What other nodes have not been told yet, as one update."""
        changed, self._to_nodes = self._to_nodes, {}
        return join_entries(changed.values()) if changed else None

    def user_of(self, client: int) -> str | None:
        """Whose device announced this client id, None for one that is not here."""
        known = self._present.get(client)
        return None if known is None else known.user

    def clients(self) -> Iterator[int]:
        return iter(self._present)

    def _renew(
        self, known: Present, client: int, clock: int, text: bytes, holder: Contributor, now_s: float
    ) -> None:
        if known.holder is not holder and known.user != holder.actor.user:
            return
        known.holder = holder
        if text == GONE:
            self._remove(client, known, clock)
        elif clock > known.clock:
            self._announce(client, clock, text, holder, now_s)

    def _arrive(
        self,
        scanned: ScannedAwareness,
        newcomers: list[int],
        holder: Contributor,
        now_s: float,
        owner: OwnerOf,
    ) -> list[AwarenessEntry]:
        """Gives back those of which peers have seen this clock, or a later one, before they left. Nothing
        more is asked about the others once the member has announced as many as it may.
        """
        again: list[AwarenessEntry] = []
        more = self._room_for(holder)
        for at in newcomers:
            client, clock = scanned.clients[at], scanned.clocks[at]
            returns = clock <= self._departed.get(client, -1)
            if not returns and not more:
                continue
            if owner(client) not in (None, "", holder.actor.user):
                continue
            if returns:
                again.append(AwarenessEntry(client, self._departed[client], None))
            else:
                more -= 1
                self._announce(client, clock, scanned.text(at), holder, now_s)
        return again

    def _room_for(self, holder: Contributor) -> int:
        """How many more it may announce."""
        announced = sum(known.holder is holder for known in self._present.values())
        mine = self._options.max_awareness_per_member - announced
        return max(0, min(mine, self._options.max_present_devices - len(self._present)))

    def _announce(self, client: int, clock: int, text: bytes, holder: Contributor, now_s: float) -> None:
        state = parse_state(text)
        if state is not None:
            entry = AwarenessEntry(client, clock, identified(state, holder.actor))
            present = Present(clock, encode_entry(entry), holder.actor.user, holder, now_s)
            self._put(client, present, self._in_time(holder, now_s))

    def _put(self, client: int, present: Present, in_time: bool = True) -> None:
        if client not in self._present and len(self._present) >= self._options.max_present_devices:
            return
        self._present[client] = present
        self._departed.pop(client, None)
        if in_time:
            self._late.discard(client)
            self._tell(client, present.encoded, to_nodes=present.holder is not None)
        else:
            self._late.add(client)
            self._everyone = None
            self.delayed += 1

    def _remove(self, client: int, known: Present, clock: int) -> None:
        del self._present[client]
        self._late.discard(client)
        self._departed[client] = clock
        if len(self._departed) > self._options.max_departed:
            del self._departed[next(iter(self._departed))]
        gone = encode_entry(AwarenessEntry(client, clock, None))
        self._tell(client, gone, to_nodes=known.holder is not None)

    def _tell(self, client: int, encoded: bytes, *, to_nodes: bool) -> None:
        self._everyone = None
        self._changed[client] = encoded
        if to_nodes:
            self._to_nodes[client] = encoded


def identified(state: State, actor: Actor) -> State:
    """`state` with the fields that a device cannot choose."""
    name = actor.name or actor.user
    user = state.get("user")
    who: object = {**user, "id": actor.user, "name": name} if isinstance(user, dict) else actor.user
    return {**state, "user": who, "role": str(actor.role), "device": actor.device, "name": name}


def _user_of(state: State) -> str:
    """The user in a state that another node has identified."""
    user = state.get("user")
    who = user.get("id") if isinstance(user, dict) else user
    return who if isinstance(who, str) else ""
