"""What the gate knows of a document's items: for every unit ever written, where it is and whether it is
deleted.

A *unit* is one clock of one client id. Units of a client are in *rows*, in the order of their clocks, without
gaps; neighbours share a row where one description fits them:

GONE    structs without a place: collected, or put where everything is deleted
LEAF    characters, values, marks in one list or text
NODE    one type in a list
FIELD   values at a key; of those that share a row each replaced the one before it
BRANCH  one type at a key
HUSK    something in a list that was deleted before it came here, and may have been a type
SHELL   the same at a key
BURST   values and types at several keys of one map, written one after the other (see `key_table`); before the
        first may be others at its key, each of which the next one replaced

A row is a start clock, the number of the type it is in, and a word with its kind and key: 12 bytes. Types are
numbered as they come; roots are types without an item. Deleted units are intervals of clocks per client.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

from threadline.actors import Actor
from threadline_server.rooms.journal import Column, Journal
from threadline_server.rooms.key_table import NO_NODE, BurstTable, KeyTable

GONE: Final = 0
LEAF: Final = 1
NODE: Final = 2
FIELD: Final = 3
BRANCH: Final = 4
BURST: Final = 5
HUSK: Final = 6
SHELL: Final = 7
KIND_BITS: Final = 3
KIND_MASK: Final = 7

NO_TYPE: Final = -1
NO_KEY: Final = -1

ROOT_CLIENT: Final = 0xFFFFFFFF
EMPTY_LIST: Final = 0xFFFFFFFF
ORDERED_LIST: Final = 0xFFFFFFFE

UNKNOWN_TYPE: Final = 7
TYPE_KIND_MASK: Final = 0x0F
SAW_XML: Final = 0x10
SAW_TEXT: Final = 0x20
SAW_VALUES: Final = 0x40
SAW_KEYS: Final = 0x80


class ClientRuns:
    """Everything the index has of one client id.

    `number` is its place in the index, `owner` that of its user. `next` is the first clock it has not
    written. `judged_*` remember that its owner, acting as `judged_actor`, may put characters into
    `judged_type`.
    """

    __slots__ = (
        "client",
        "dead_ends",
        "dead_starts",
        "judged_actor",
        "judged_type",
        "link_clients",
        "link_clocks",
        "link_origins",
        "mark_links",
        "mark_next",
        "mark_pairs",
        "mark_rows",
        "mark_types",
        "metas",
        "next",
        "node_ids",
        "node_starts",
        "number",
        "owner",
        "pair_ends",
        "parents",
        "starts",
        "touched",
        "type_ids",
    )

    def __init__(self, client: int, number: int, owner: int) -> None:
        self.client: int = client
        self.number: int = number
        self.owner: int = owner
        self.next: int = 0
        self.starts: Column = array("I")
        self.parents: Column = array("I")
        self.metas: Column = array("I")
        self.type_ids: Column | None = None  # the types it made, by clock
        self.pair_ends: Column | None = None  # clocks of the second halves of surrogate pairs
        self.dead_starts: Column | None = None
        self.dead_ends: Column | None = None
        self.link_clocks: Column | None = None  # values at keys that replaced another: clock, and whose
        self.link_clients: Column | None = None
        self.link_origins: Column | None = None
        self.node_starts: Column | None = None  # pieces of ordered lists (see `list_order`)
        self.node_ids: Column | None = None
        self.judged_type: int = NO_TYPE
        self.judged_actor: Actor | None = None
        self.touched: bool = False
        self.mark_next: int = 0
        self.mark_rows: int = 0
        self.mark_types: int = 0
        self.mark_pairs: int = 0
        self.mark_links: int = 0

    def touch(self) -> None:
        """Remember where the columns that only grow at their end do end."""
        self.touched = True
        self.mark_next = self.next
        self.mark_rows = len(self.starts)
        self.mark_types = 0 if self.type_ids is None else len(self.type_ids)
        self.mark_pairs = 0 if self.pair_ends is None else len(self.pair_ends)
        self.mark_links = 0 if self.link_clocks is None else len(self.link_clocks)

    def cut_to_marks(self) -> None:
        """Take back what was added to these columns since `touch`."""
        self.touched = False
        self.next = self.mark_next
        for column in (self.starts, self.parents, self.metas):
            del column[self.mark_rows :]
        if self.type_ids is not None:
            del self.type_ids[self.mark_types :]
        if self.pair_ends is not None:
            del self.pair_ends[self.mark_pairs :]
        for link in (self.link_clocks, self.link_clients, self.link_origins):
            if link is not None:
                del link[self.mark_links :]

    def row_at(self, clock: int) -> int:
        """The row that has `clock`, which must be below `next`."""
        starts = self.starts
        last = len(starts) - 1
        if starts[last] <= clock:
            return last
        return bisect_right(starts, clock) - 1

    def row_end(self, row: int) -> int:
        return self.starts[row + 1] if row + 1 < len(self.starts) else self.next

    def splits_pair(self, clock: int) -> bool:
        """Whether the boundary before `clock` is inside a surrogate pair."""
        ends = self.pair_ends
        if ends is None:
            return False
        at = bisect_left(ends, clock)
        return at < len(ends) and ends[at] == clock

    def is_dead(self, clock: int) -> bool:
        starts = self.dead_starts
        ends = self.dead_ends
        if starts is None or ends is None:
            return False
        at = bisect_right(starts, clock) - 1
        return at >= 0 and clock < ends[at]

    def dead_until(self, clock: int) -> int:
        """The end of the deleted interval that has `clock`; `clock` itself where it is not deleted."""
        starts = self.dead_starts
        ends = self.dead_ends
        if starts is None or ends is None:
            return clock
        at = bisect_right(starts, clock) - 1
        if at >= 0 and clock < ends[at]:
            return ends[at]
        return clock

    def alive_until(self, clock: int, limit: int) -> int:
        """Where the next deleted interval begins, `limit` at most; `clock` must not be deleted."""
        starts = self.dead_starts
        if starts is None:
            return limit
        at = bisect_right(starts, clock)
        return min(starts[at], limit) if at < len(starts) else limit


class ItemIndex:
    __slots__ = (
        "_mark_bursts",
        "_mark_clients",
        "_mark_keys",
        "_mark_roots",
        "_mark_types",
        "_touched",
        "bursts",
        "by_id",
        "clients",
        "journal",
        "keys",
        "root_ids",
        "root_names",
        "type_clients",
        "type_clocks",
        "type_depths",
        "type_flags",
        "type_head_clocks",
        "type_heads",
        "units",
    )

    def __init__(self) -> None:
        self.clients: list[ClientRuns] = []
        self.by_id: dict[int, ClientRuns] = {}
        self.keys: KeyTable = KeyTable()
        self.bursts: BurstTable = BurstTable()
        self.root_names: list[str] = []
        self.root_ids: dict[str, int] = {}
        self.type_clients: Column = array("I")  # the client number, or ROOT_CLIENT
        self.type_clocks: Column = array("I")  # the clock, or the place in `root_names`
        self.type_flags: Column = array("B")
        self.type_depths: Column = array("B")
        self.type_heads: Column = array("I")  # see `list_order`
        self.type_head_clocks: Column = array("I")
        self.journal: Journal = Journal()
        self._touched: list[ClientRuns] = []
        self._mark_clients: int = 0
        self._mark_keys: int = 0
        self._mark_bursts: int = 0
        self._mark_roots: int = 0
        self._mark_types: int = 0

    # all or nothing

    def begin(self) -> None:
        """From here to `keep` or `undo` every change can be taken back; `touch` comes before those of a
        client."""
        self.journal.begin()
        self._mark_clients = len(self.clients)
        self._mark_keys = len(self.keys)
        self._mark_bursts = len(self.bursts)
        self._mark_roots = len(self.root_names)
        self._mark_types = len(self.type_clients)

    def touch(self, runs: ClientRuns) -> None:
        """Units of this client are about to be added."""
        if not runs.touched and self.journal.recording:
            runs.touch()
            self._touched.append(runs)

    def keep(self) -> None:
        self.journal.keep()
        for runs in self._touched:
            runs.touched = False
        self._touched.clear()

    def undo(self) -> None:
        self.journal.undo()
        for runs in self._touched:
            runs.cut_to_marks()
        self._touched.clear()
        while len(self.clients) > self._mark_clients:
            del self.by_id[self.clients.pop().client]
        while len(self.root_names) > self._mark_roots:
            del self.root_ids[self.root_names.pop()]
        for column in (self.type_clients, self.type_clocks, self.type_heads, self.type_head_clocks):
            del column[self._mark_types :]
        del self.type_flags[self._mark_types :]
        del self.type_depths[self._mark_types :]
        self.bursts.truncate(self._mark_bursts)
        self.keys.truncate(self._mark_keys)

    # clients

    def runs_of(self, client: int) -> ClientRuns | None:
        return self.by_id.get(client)

    def add_client(self, client: int, owner: int) -> ClientRuns:
        runs = ClientRuns(client, len(self.clients), owner)
        self.clients.append(runs)
        self.by_id[client] = runs
        return runs

    def _advance(self, runs: ClientRuns, length: int) -> None:
        runs.next += length

    # types

    def root(self, name: str, kind: int) -> int:
        """The number of the root `name`, made with type kind `kind` where it is new."""
        known = self.root_ids.get(name, NO_TYPE)
        if known >= 0:
            return known
        made = self._add_type(ROOT_CLIENT, len(self.root_names), kind, 0)
        self.root_names.append(name)
        self.root_ids[name] = made
        return made

    def _add_type(self, client: int, clock: int, flags: int, depth: int) -> int:
        self.type_clients.append(client)
        self.type_clocks.append(clock)
        self.type_flags.append(flags)
        self.type_depths.append(depth)
        self.type_heads.append(EMPTY_LIST)
        self.type_head_clocks.append(0)
        return len(self.type_clients) - 1

    def add_type(self, runs: ClientRuns, kind: int, depth: int) -> int:
        """Number the type that is about to be written at `runs.next`."""
        if runs.type_ids is None:
            runs.type_ids = array("I")
        made = self._add_type(runs.number, runs.next, kind, depth)
        runs.type_ids.append(made)
        return made

    def type_at(self, runs: ClientRuns, clock: int) -> int:
        """The number of the type that this unit is; `NO_TYPE` where it is none."""
        ids = runs.type_ids
        if ids is None:
            return NO_TYPE
        clocks = self.type_clocks
        high = len(ids)
        low = max(0, high - 1)
        step = 1
        while low > 0 and clocks[ids[low]] > clock:  # most often it is among the newest
            high = low
            low = max(0, low - step)
            step *= 2
        while low < high:
            middle = (low + high) // 2
            if clocks[ids[middle]] < clock:
                low = middle + 1
            else:
                high = middle
        return ids[low] if low < len(ids) and clocks[ids[low]] == clock else NO_TYPE

    def type_kind(self, type_id: int) -> int:
        return self.type_flags[type_id] & TYPE_KIND_MASK

    def is_root(self, type_id: int) -> bool:
        return self.type_clients[type_id] == ROOT_CLIENT

    def parent_type(self, type_id: int) -> int:
        """The type that has this one; `NO_TYPE` for a root, and for one without a place."""
        number = self.type_clients[type_id]
        if number == ROOT_CLIENT:
            return NO_TYPE
        runs = self.clients[number]
        row = runs.row_at(self.type_clocks[type_id])
        return NO_TYPE if runs.metas[row] & KIND_MASK == GONE else runs.parents[row]

    def type_is_dead(self, type_id: int) -> bool:
        """Whether this type's own item is deleted."""
        number = self.type_clients[type_id]
        return number != ROOT_CLIENT and self.clients[number].is_dead(self.type_clocks[type_id])

    def root_name(self, type_id: int) -> str:
        return self.root_names[self.type_clocks[type_id]]

    def key_of_type(self, type_id: int) -> int:
        """The key id that a type, which is no root, is at; `NO_KEY` in a list."""
        runs = self.clients[self.type_clients[type_id]]
        clock = self.type_clocks[type_id]
        return self.key_at(runs, runs.row_at(clock), clock)

    # rows

    def key_at(self, runs: ClientRuns, row: int, clock: int) -> int:
        """The key id of the unit at `clock` in `row`; `NO_KEY` for a list position."""
        meta = runs.metas[row]
        kind = meta & KIND_MASK
        if kind in (FIELD, BRANCH, SHELL):
            return meta >> KIND_BITS
        if kind == BURST:
            return self.bursts.item(meta >> KIND_BITS, runs.row_end(row) - 1 - clock) >> 1
        return NO_KEY

    def _add_row(self, runs: ClientRuns, parent: int, meta: int) -> None:
        runs.starts.append(runs.next)
        runs.parents.append(parent)
        runs.metas.append(meta)

    def add_gone(self, runs: ClientRuns, length: int) -> None:
        metas = runs.metas
        if not metas or metas[-1] != GONE:
            self._add_row(runs, 0, GONE)
        self._advance(runs, length)

    def extends_leaf(self, runs: ClientRuns, type_id: int) -> bool:
        """Whether the client's last row is of leaves in this list."""
        metas = runs.metas
        return len(metas) > 0 and metas[-1] == LEAF and runs.parents[-1] == type_id

    def add_leaf(self, runs: ClientRuns, type_id: int, length: int) -> None:
        if not self.extends_leaf(runs, type_id):
            self._add_row(runs, type_id, LEAF)
        self._advance(runs, length)

    def add_husk(self, runs: ClientRuns, type_id: int, length: int) -> None:
        metas = runs.metas
        if not metas or metas[-1] != HUSK or runs.parents[-1] != type_id:
            self._add_row(runs, type_id, HUSK)
        self._advance(runs, length)

    def add_node(self, runs: ClientRuns, type_id: int) -> None:
        self._add_row(runs, type_id, NODE)
        self._advance(runs, 1)

    def extends_field(self, runs: ClientRuns, type_id: int, key_id: int) -> bool:
        """Whether the client's last row is of values at this key."""
        metas = runs.metas
        return len(metas) > 0 and metas[-1] == FIELD | key_id << KIND_BITS and runs.parents[-1] == type_id

    def add_field(self, runs: ClientRuns, type_id: int, key_id: int, follows: bool) -> None:
        """`follows`: it replaces the unit before it. Such units share a row, and need no link."""
        if not (follows and self.extends_field(runs, type_id, key_id)) and not self._extend_burst(
            runs, type_id, key_id, False
        ):
            self._add_row(runs, type_id, FIELD | key_id << KIND_BITS)
        self._advance(runs, 1)

    def add_shell(self, runs: ClientRuns, type_id: int, key_id: int, length: int) -> None:
        """`length` units that were deleted before they came here, each of which replaced the one before
        it."""
        self._add_row(runs, type_id, SHELL | key_id << KIND_BITS)
        self._advance(runs, length)

    def was_type(self, runs: ClientRuns, clock: int) -> bool:
        """Whether the unit at `clock`, which is no type, may have been one."""
        kind = runs.metas[runs.row_at(clock)] & KIND_MASK
        return kind in (GONE, HUSK, SHELL)

    def add_branch(self, runs: ClientRuns, type_id: int, key_id: int) -> None:
        if not self._extend_burst(runs, type_id, key_id, True):
            self._add_row(runs, type_id, BRANCH | key_id << KIND_BITS)
        self._advance(runs, 1)

    def _extend_burst(self, runs: ClientRuns, type_id: int, key_id: int, is_type: bool) -> bool:
        metas = runs.metas
        if not metas or runs.parents[-1] != type_id or self.type_clients[type_id] == ROOT_CLIENT:
            return False
        meta = metas[-1]
        kind = meta & KIND_MASK
        if kind == BURST:
            node = meta >> KIND_BITS
        elif kind in (FIELD, BRANCH):
            before = meta >> KIND_BITS
            if not self.keys.is_common(before):
                return False
            node = self.bursts.extend(NO_NODE, before << 1 | (1 if kind == BRANCH else 0))
        else:
            return False
        if (kind != BURST and node == NO_NODE) or not self.keys.is_common(key_id):
            return False
        longer = self.bursts.extend(node, key_id << 1 | (1 if is_type else 0))
        if longer == NO_NODE:
            return False
        self.journal.put(metas, len(metas) - 1, BURST | longer << KIND_BITS)
        return True

    # what units are, beside their place

    def add_pairs(self, runs: ClientRuns, clock: int, text: str) -> None:
        """Remember where the surrogate pairs of `text`, written from `clock` on, are."""
        ends = runs.pair_ends
        for char in text:
            clock += 1
            if char > "\uffff":
                if ends is None:
                    ends = runs.pair_ends = array("I")
                ends.append(clock)
                clock += 1

    def origin_of_field(self, runs: ClientRuns, row: int, clock: int) -> tuple[int, int]:
        """(client id, clock) of the value that the one at `clock` replaced; (-1, 0) where it replaced
        none."""
        clocks = runs.link_clocks
        if clocks is not None and runs.link_clients is not None and runs.link_origins is not None:
            at = bisect_left(clocks, clock)
            if at < len(clocks) and clocks[at] == clock:
                return self.clients[runs.link_clients[at]].client, runs.link_origins[at]
        if runs.starts[row] < clock < self._end_of_first(runs, row):
            return runs.client, clock - 1
        return -1, 0

    def _end_of_first(self, runs: ClientRuns, row: int) -> int:
        """Where those end that share a row because each replaced the one before, from its start on."""
        meta = runs.metas[row]
        kind = meta & KIND_MASK
        if kind in (FIELD, SHELL):
            return runs.row_end(row)
        if kind == BURST:
            return runs.row_end(row) - self.bursts.length(meta >> KIND_BITS) + 1
        return runs.starts[row]

    def add_link(self, runs: ClientRuns, origin: ClientRuns, origin_clock: int) -> None:
        """Remember which value the one about to be written at `runs.next` replaces."""
        if runs.link_clocks is None or runs.link_clients is None or runs.link_origins is None:
            runs.link_clocks = array("I")
            runs.link_clients = array("I")
            runs.link_origins = array("I")
        runs.link_clocks.append(runs.next)
        runs.link_clients.append(origin.number)
        runs.link_origins.append(origin_clock)

    def add_dead(self, runs: ClientRuns, start: int, end: int) -> None:
        """Mark units `start` (inclusive) to `end` (exclusive) as deleted; they may be so already."""
        starts = runs.dead_starts
        ends = runs.dead_ends
        if starts is None or ends is None:
            starts = runs.dead_starts = array("I")
            ends = runs.dead_ends = array("I")
        journal = self.journal
        low = bisect_left(ends, start)
        high = bisect_right(starts, end)
        if low == high:
            journal.insert(starts, low, start)
            journal.insert(ends, low, end)
            return
        if start < starts[low]:
            journal.put(starts, low, start)
        last = max(ends[high - 1], end)
        if last > ends[low]:
            journal.put(ends, low, last)
        for at in range(high - 1, low, -1):
            journal.remove(starts, at)
            journal.remove(ends, at)
