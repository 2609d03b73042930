"""Which of the values that were put at one key has it.

Values at a key form a tree by what each one replaced. Replicas keep the last one of the list that Yjs makes
of them, which is found by going down from those that replaced nothing, always to the child with the highest
client id; of one client's children of one value, to the first.

The index does not keep this, for it is asked rarely: when a delete set names a value that its sender may not
delete, which an honest one does when that value lost a key to a concurrent one. All questions of an update
are answered in one pass over the rows.
"""

from __future__ import annotations

from typing import TypeAlias

from threadline_server.rooms.item_index import (
    BURST,
    KIND_MASK,
    LEAF,
    NO_KEY,
    NO_TYPE,
    ROOT_CLIENT,
    ClientRuns,
    ItemIndex,
)

Slot: TypeAlias = tuple[int, str]
Unit: TypeAlias = tuple[int, int]
_NOTHING: Unit = (-1, 0)


class KeyContest:
    __slots__ = ("_around", "_asked", "_index", "_types")

    def __init__(self, index: ItemIndex) -> None:
        self._index: ItemIndex = index
        self._asked: dict[Slot, list[Unit]] = {}
        self._types: set[int] = set()
        self._around: set[int] = set()

    def ask(self, runs: ClientRuns, clock: int) -> None:
        """Whether this unit has its key, if it is at one."""
        index = self._index
        row = runs.row_at(clock)
        key = index.key_at(runs, row, clock)
        if key == NO_KEY or runs.is_dead(clock):
            return
        type_id = runs.parents[row]
        self._asked.setdefault((type_id, index.keys.text(key)), []).append((runs.client, clock))
        self._types.add(type_id)

    def ask_around(self, type_id: int) -> None:
        """Whether this type, and each around it, has its key."""
        index = self._index
        while type_id != NO_TYPE and index.type_clients[type_id] != ROOT_CLIENT:
            if type_id in self._around:
                return
            self._around.add(type_id)
            self.ask(index.clients[index.type_clients[type_id]], index.type_clocks[type_id])
            type_id = index.parent_type(type_id)

    def mark_losers(self) -> None:
        """Mark as deleted those asked about that another value keeps from their key."""
        index = self._index
        contests = self._collect()
        for slot, asked in self._asked.items():
            winner = _winner(contests[slot])
            for client, clock in asked:
                if (client, clock) != winner:
                    index.add_dead(index.by_id[client], clock, clock + 1)

    def _collect(self) -> dict[Slot, dict[Unit, list[Unit]]]:
        """For each slot asked about: the units that replaced a unit."""
        contests: dict[Slot, dict[Unit, list[Unit]]] = {slot: {} for slot in self._asked}
        types = self._types
        for runs in self._index.clients:
            parents = runs.parents
            for row in range(len(parents)):
                if parents[row] in types and runs.metas[row] & KIND_MASK > LEAF:
                    self._collect_row(runs, row, contests)
        return contests

    def _collect_row(self, runs: ClientRuns, row: int, contests: dict[Slot, dict[Unit, list[Unit]]]) -> None:
        index = self._index
        type_id = runs.parents[row]
        burst = runs.metas[row] & KIND_MASK == BURST
        key = NO_KEY
        children: dict[Unit, list[Unit]] | None = None
        for clock in range(runs.starts[row], runs.row_end(row)):
            if burst or key == NO_KEY:
                key = index.key_at(runs, row, clock)
                if key == NO_KEY:
                    return
                children = contests.get((type_id, index.keys.text(key)))
            if children is not None:
                origin = index.origin_of_field(runs, row, clock)
                children.setdefault(origin, []).append((runs.client, clock))


def _winner(children: dict[Unit, list[Unit]]) -> Unit:
    last = _NOTHING
    while last in children:
        best = _NOTHING
        for unit in children[last]:
            if unit[0] > best[0] or (unit[0] == best[0] and unit[1] < best[1]):
                best = unit
        last = best
    return last
