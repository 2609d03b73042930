"""The order of what is in a list or text, as far as it must be known.

An update names the neighbours that a unit had when it was written, its *origin* and *right origin*. Where the
right origin is not after the origin in the same list, replicas place the unit differently for ever, and some
lose text; so the gate has to know which comes first. A list that one client wrote from start to end needs
nothing but the place of its first unit. Any other is a chain of *pieces*: units of one client, one after the
other, in the clock and in the list. A new piece is placed as Yjs does.

Source: yjs 13.6, `Item.integrate` (YATA; Nicolaescu et al., "Near Real-Time Peer-to-Peer Shared Editing on
Extensible Data Types", 2016).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

from threadline_server.rooms.item_index import EMPTY_LIST, ORDERED_LIST, ClientRuns, ItemIndex
from threadline_server.rooms.journal import Column, Journal

NO_PIECE: Final = 0
NOBODY: Final = 0xFFFFFFFF


class ListOrder:
    """Pieces are numbered from 1; `nexts` chains them, `type_heads` of the index says where a chain
    begins."""

    __slots__ = (
        "clients",
        "clocks",
        "index",
        "journal",
        "lengths",
        "nexts",
        "origin_clients",
        "origin_clocks",
        "right_clients",
        "right_clocks",
    )

    def __init__(self, index: ItemIndex) -> None:
        self.index: ItemIndex = index
        self.journal: Journal = index.journal
        self.clients: Column = array("I", (0,))
        self.clocks: Column = array("I", (0,))
        self.lengths: Column = array("I", (0,))
        self.nexts: Column = array("I", (0,))
        self.origin_clients: Column = array("I", (0,))
        self.origin_clocks: Column = array("I", (0,))
        self.right_clients: Column = array("I", (0,))
        self.right_clocks: Column = array("I", (0,))

    def place(
        self,
        type_id: int,
        runs: ClientRuns,
        length: int,
        leaf: bool,
        origin: ClientRuns | None,
        origin_clock: int,
        right: ClientRuns | None,
        right_clock: int,
    ) -> bool:
        """Place what is about to be written at `runs.next`; both origins are known to be in this list.

        False where the right origin is not after the origin; the piece is then placed nevertheless.
        """
        index = self.index
        head = index.type_heads[type_id]
        clock = runs.next
        if head == EMPTY_LIST:
            self.journal.put(index.type_heads, type_id, runs.number)
            self.journal.put(index.type_head_clocks, type_id, clock)
            return True
        if head != ORDERED_LIST:
            if (
                head == runs.number
                and leaf
                and right is None
                and origin is runs
                and origin_clock == clock - 1
                and index.extends_leaf(runs, type_id)
            ):
                return True
            self._order(type_id, head)
        return self._integrate(type_id, runs, length, origin, origin_clock, right, right_clock)

    def _order(self, type_id: int, head: int) -> None:
        """Begin a chain with the one run of units that the list has had."""
        index = self.index
        runs = index.clients[head]
        start = index.type_head_clocks[type_id]
        end = runs.row_end(runs.row_at(start))
        piece = self._add(runs, start, end - start, NOBODY, 0, NOBODY, 0)
        self.journal.put(index.type_heads, type_id, ORDERED_LIST)
        self.journal.put(index.type_head_clocks, type_id, piece)

    def _add(
        self,
        runs: ClientRuns,
        clock: int,
        length: int,
        origin_client: int,
        origin_clock: int,
        right_client: int,
        right_clock: int,
    ) -> int:
        journal = self.journal
        piece = len(self.clients)
        journal.append(self.clients, runs.number)
        journal.append(self.clocks, clock)
        journal.append(self.lengths, length)
        journal.append(self.nexts, NO_PIECE)
        journal.append(self.origin_clients, origin_client)
        journal.append(self.origin_clocks, origin_clock)
        journal.append(self.right_clients, right_client)
        journal.append(self.right_clocks, right_clock)
        starts = runs.node_starts
        ids = runs.node_ids
        if starts is None or ids is None:
            starts = runs.node_starts = array("I")
            ids = runs.node_ids = array("I")
        at = len(starts)
        if at and starts[at - 1] > clock:
            at = bisect_right(starts, clock)
        journal.insert(starts, at, clock)
        journal.insert(ids, at, piece)
        return piece

    def pieces(self, type_id: int) -> list[list[int]]:
        """[client id, clock, length] of what is in a list, in its order; neighbours that continue are
        joined."""
        index = self.index
        head = index.type_heads[type_id]
        if head == EMPTY_LIST:
            return []
        here = index.type_head_clocks[type_id]
        if head != ORDERED_LIST:
            runs = index.clients[head]
            return [[runs.client, here, runs.row_end(runs.row_at(here)) - here]]
        found: list[list[int]] = []
        while here != NO_PIECE:
            client = index.clients[self.clients[here]].client
            if found and found[-1][0] == client and found[-1][1] + found[-1][2] == self.clocks[here]:
                found[-1][2] += self.lengths[here]
            else:
                found.append([client, self.clocks[here], self.lengths[here]])
            here = self.nexts[here]
        return found

    def piece_at(self, runs: ClientRuns, clock: int) -> int:
        """The piece that has this unit; `NO_PIECE` where its list has no chain."""
        starts = runs.node_starts
        ids = runs.node_ids
        if starts is None or ids is None:
            return NO_PIECE
        at = bisect_right(starts, clock) - 1
        if at < 0:
            return NO_PIECE
        piece = ids[at]
        return piece if clock < self.clocks[piece] + self.lengths[piece] else NO_PIECE

    def _split(self, piece: int, clock: int) -> int:
        """Make `clock` the first unit of a piece, and give back that piece."""
        start = self.clocks[piece]
        if start == clock:
            return piece
        journal = self.journal
        number = self.clients[piece]
        kept = clock - start
        rest = self._add(
            self.index.clients[number],
            clock,
            self.lengths[piece] - kept,
            number,
            clock - 1,
            self.right_clients[piece],
            self.right_clocks[piece],
        )
        journal.put(self.lengths, piece, kept)
        journal.put(self.nexts, rest, self.nexts[piece])
        journal.put(self.nexts, piece, rest)
        return rest

    def _ending_at(self, runs: ClientRuns, clock: int) -> int:
        """The piece whose last unit is `clock`, split off where needed."""
        piece = self.piece_at(runs, clock)
        if clock + 1 < self.clocks[piece] + self.lengths[piece]:
            self._split(piece, clock + 1)
        return piece

    def _integrate(
        self,
        type_id: int,
        runs: ClientRuns,
        length: int,
        origin: ClientRuns | None,
        origin_clock: int,
        right: ClientRuns | None,
        right_clock: int,
    ) -> bool:
        journal = self.journal
        origin_client = NOBODY if origin is None else origin.number
        right_client = NOBODY if right is None else right.number
        before = NO_PIECE if origin is None else self._ending_at(origin, origin_clock)
        after = NO_PIECE if right is None else self._split(self.piece_at(right, right_clock), right_clock)
        if origin is not None and self.clocks[before] + self.lengths[before] != origin_clock + 1:
            before = self._ending_at(origin, origin_clock)
        first = self.index.type_head_clocks[type_id]
        here = self.nexts[before] if before != NO_PIECE else first
        reached = True
        if here != after:
            before, reached = self._resolve(
                runs, before, here, after, origin_client, origin_clock, right_client, right_clock
            )
        if before == NO_PIECE:
            made = self._add(runs, runs.next, length, origin_client, origin_clock, right_client, right_clock)
            journal.put(self.nexts, made, first)
            journal.put(self.index.type_head_clocks, type_id, made)
        elif (
            origin_client == runs.number
            and self.clients[before] == runs.number
            and origin_clock == runs.next - 1
            and self.clocks[before] + self.lengths[before] == runs.next
            and self.right_clients[before] == right_client
            and self.right_clocks[before] == right_clock
        ):
            journal.put(self.lengths, before, self.lengths[before] + length)
        else:
            made = self._add(runs, runs.next, length, origin_client, origin_clock, right_client, right_clock)
            journal.put(self.nexts, made, self.nexts[before])
            journal.put(self.nexts, before, made)
        return reached

    def _resolve(
        self,
        runs: ClientRuns,
        before: int,
        here: int,
        after: int,
        origin_client: int,
        origin_clock: int,
        right_client: int,
        right_clock: int,
    ) -> tuple[int, bool]:
        """Pass by what others wrote at the same place: (the piece to follow, whether `after` comes after)."""
        index_clients = self.index.clients
        seen: set[int] = set()
        conflicting: set[int] = set()
        settled = False
        while here != NO_PIECE and here != after:
            if not settled:
                seen.add(here)
                conflicting.add(here)
                its_origin = self.origin_clients[here]
                if its_origin == origin_client and self.origin_clocks[here] == origin_clock:
                    if index_clients[self.clients[here]].client < runs.client:
                        before = here
                        conflicting.clear()
                    elif self.right_clients[here] == right_client and self.right_clocks[here] == right_clock:
                        settled = True
                elif its_origin != NOBODY:
                    its_piece = self.piece_at(index_clients[its_origin], self.origin_clocks[here])
                    if its_piece in seen:
                        if its_piece not in conflicting:
                            before = here
                            conflicting.clear()
                    else:
                        settled = True
                else:
                    settled = True
                if settled and after == NO_PIECE:
                    break
            here = self.nexts[here]
        return before, here == after or after == NO_PIECE
