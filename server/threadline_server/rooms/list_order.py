"""The order of what is in a list or text, as far as it must be known.

An update names the neighbours that a unit had when it was written, its *origin* and *right origin*. Replicas
that get updates in different orders agree on where units are only if there was a time when these two were
neighbours. Where there was none, some replicas place the unit differently for ever, and some lose text; so
the gate has to know what comes after what. A list that one client wrote from start to end needs nothing but
the place of its first unit. Any other is a chain of *pieces*: units of one client, one after the other, in
the clock and in the list, with one right origin. A new piece is placed as Yjs does.

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

PLACED: Final = 0
MOVED: Final = 1
TOO_FAR: Final = 2


class Arrival:
    """Units about to be written at `runs.next`, with the numbers of their origins' clients."""

    __slots__ = ("length", "origin_client", "origin_clock", "right_client", "right_clock", "runs")

    def __init__(
        self,
        runs: ClientRuns,
        length: int,
        origin_client: int,
        origin_clock: int,
        right_client: int,
        right_clock: int,
    ) -> None:
        self.runs: ClientRuns = runs
        self.length: int = length
        self.origin_client: int = origin_client
        self.origin_clock: int = origin_clock
        self.right_client: int = right_client
        self.right_clock: int = right_clock


class ListOrder:
    """Pieces are numbered from 1; `nexts` chains them, `type_heads` of the index says where a chain
    begins."""

    __slots__ = (
        "_mark",
        "clients",
        "clocks",
        "index",
        "journal",
        "lengths",
        "most_steps",
        "moved",
        "nexts",
        "origin_clients",
        "origin_clocks",
        "right_clients",
        "right_clocks",
        "steps",
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
        self.moved: Arrival | None = None
        self.steps: int = 0
        self.most_steps: int = 0
        self._mark: int = 1

    def begin(self) -> None:
        """From here on pieces can be taken back; the journal has how they were chained."""
        self._mark = len(self.clients)

    def undo(self) -> None:
        """Take back the pieces made since `begin`, after the journal."""
        for column in (self.clients, self.clocks, self.lengths, self.nexts):
            del column[self._mark :]
        for origin in (self.origin_clients, self.origin_clocks, self.right_clients, self.right_clocks):
            del origin[self._mark :]

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
    ) -> int:
        """Place what is about to be written at `runs.next`; both origins are known to be in this list.

        PLACED where they say. MOVED where they were never neighbours: then it is placed where a Yjs that
        knows no more than this puts it, and `moved` has its neighbours there, which all replicas place it
        between. A redo inside something that was itself brought back can be like that. TOO_FAR where `steps`,
        which every piece that is passed by costs one of, ran out, or `most_steps` of them did; it is placed
        anywhere then, and `steps` is below zero.
        """
        index = self.index
        head = index.type_heads[type_id]
        clock = runs.next
        if head == EMPTY_LIST:
            self.journal.put(index.type_heads, type_id, runs.number)
            self.journal.put(index.type_head_clocks, type_id, clock)
            return PLACED
        if head != ORDERED_LIST:
            if (
                head == runs.number
                and leaf
                and right is None
                and origin is runs
                and origin_clock == clock - 1
                and index.extends_leaf(runs, type_id)
            ):
                return PLACED
            self._order(type_id, head)
        arrival = Arrival(
            runs,
            length,
            NOBODY if origin is None else origin.number,
            origin_clock,
            NOBODY if right is None else right.number,
            right_clock,
        )
        spared = max(self.steps - self.most_steps, 0)
        self.steps -= spared
        placed = self._integrate(type_id, arrival, origin, right)
        if self.steps >= 0:
            self.steps += spared
        return placed

    def _order(self, type_id: int, head: int) -> None:
        """Begin a chain with the one run of units that the list has had."""
        index = self.index
        runs = index.clients[head]
        start = index.type_head_clocks[type_id]
        end = runs.row_end(runs.row_at(start))
        piece = self._add(Arrival(runs, end - start, NOBODY, 0, NOBODY, 0), start)
        self.journal.put(index.type_heads, type_id, ORDERED_LIST)
        self.journal.put(index.type_head_clocks, type_id, piece)

    def _add(self, arrival: Arrival, clock: int) -> int:
        """A piece that nothing leads to yet."""
        journal = self.journal
        runs = arrival.runs
        piece = len(self.clients)
        self.clients.append(runs.number)
        self.clocks.append(clock)
        self.lengths.append(arrival.length)
        self.nexts.append(NO_PIECE)
        self.origin_clients.append(arrival.origin_client)
        self.origin_clocks.append(arrival.origin_clock)
        self.right_clients.append(arrival.right_client)
        self.right_clocks.append(arrival.right_clock)
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
            Arrival(
                self.index.clients[number],
                self.lengths[piece] - kept,
                number,
                clock - 1,
                self.right_clients[piece],
                self.right_clocks[piece],
            ),
            clock,
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
        self, type_id: int, arrival: Arrival, origin: ClientRuns | None, right: ClientRuns | None
    ) -> int:
        before = NO_PIECE if origin is None else self._ending_at(origin, arrival.origin_clock)
        after = NO_PIECE
        if right is not None:
            after = self._split(self.piece_at(right, arrival.right_clock), arrival.right_clock)
            if origin is not None:
                before = self._ending_at(origin, arrival.origin_clock)  # it may just have been split
        here = self.nexts[before] if before != NO_PIECE else self.index.type_head_clocks[type_id]
        placed = PLACED
        if here != after:
            if not self._follows(before, after):
                placed = self._check(before, here, after)
            before = self._pass_by(arrival, before, here, after)
            if placed == MOVED:
                self._move(type_id, arrival, before)
            if self.steps < 0:
                placed = TOO_FAR
        self._insert(type_id, arrival, before)
        return placed

    def _follows(self, before: int, after: int) -> bool:
        """Whether one of the two was written next to the other, which had been there."""
        if before == NO_PIECE or after == NO_PIECE:
            return False
        if (
            self.right_clients[before] == self.clients[after]
            and self.right_clocks[before] == self.clocks[after]
        ):
            return True
        last = self.clocks[before] + self.lengths[before] - 1
        return self.origin_clients[after] == self.clients[before] and self.origin_clocks[after] == last

    def _check(self, before: int, here: int, after: int) -> int:
        """Whether there was a time when `after` followed `before`, although others are between them now.

        There was one if neither the origin of `after` nor the right origin of `before` is between them: what
        the two depend on is then not between them either, and a replica that has nothing else has them as
        neighbours.
        """
        bound = NO_PIECE
        if before != NO_PIECE:
            bound = self._piece_of(self.right_clients[before], self.right_clocks[before])
        if after == NO_PIECE:
            return PLACED if bound == NO_PIECE else MOVED
        origin = self._piece_of(self.origin_clients[after], self.origin_clocks[after])
        while here != after:
            self.steps -= 1
            if here in (NO_PIECE, bound, origin) or self.steps < 0:
                return MOVED
            here = self.nexts[here]
        return PLACED

    def _piece_of(self, client: int, clock: int) -> int:
        return NO_PIECE if client == NOBODY else self.piece_at(self.index.clients[client], clock)

    def _move(self, type_id: int, arrival: Arrival, before: int) -> None:
        """Make `before` and what follows it the neighbours."""
        after = self.nexts[before] if before != NO_PIECE else self.index.type_head_clocks[type_id]
        arrival.origin_client = NOBODY
        arrival.right_client = NOBODY
        if before != NO_PIECE:
            arrival.origin_client = self.clients[before]
            arrival.origin_clock = self.clocks[before] + self.lengths[before] - 1
        if after != NO_PIECE:
            arrival.right_client = self.clients[after]
            arrival.right_clock = self.clocks[after]
        self.moved = arrival

    def _pass_by(self, arrival: Arrival, before: int, here: int, after: int) -> int:
        """The piece to follow, past what others wrote at the same place.

        Pieces that are passed by are numbered; those that still conflict are the ones after `settled`.
        """
        clients = self.index.clients
        client = arrival.runs.client
        passed: dict[int, int] = {}
        number = 0
        settled = 0
        last_origin = NOBODY
        last_clock = 0
        its_number = 0  # of the piece that has the last origin
        while here != after and here != NO_PIECE:
            self.steps -= 1
            if self.steps < 0:
                break
            number += 1
            passed[here] = number
            its_origin = self.origin_clients[here]
            its_clock = self.origin_clocks[here]
            if its_origin == arrival.origin_client and its_clock == arrival.origin_clock:
                if clients[self.clients[here]].client < client:
                    before = here
                    settled = number
                elif (
                    self.right_clients[here] == arrival.right_client
                    and self.right_clocks[here] == arrival.right_clock
                ):
                    break
            elif its_origin == NOBODY:
                break
            else:
                if its_origin != last_origin or its_clock != last_clock:
                    last_origin = its_origin
                    last_clock = its_clock
                    its_number = passed.get(self.piece_at(clients[its_origin], its_clock), 0)
                if its_number == 0:
                    break
                if its_number <= settled:
                    before = here
                    settled = number
            here = self.nexts[here]
        return before

    def _insert(self, type_id: int, arrival: Arrival, before: int) -> None:
        journal = self.journal
        clock = arrival.runs.next
        if before == NO_PIECE:
            made = self._add(arrival, clock)
            journal.put(self.nexts, made, self.index.type_head_clocks[type_id])
            journal.put(self.index.type_head_clocks, type_id, made)
        elif self._continues(before, arrival):
            journal.put(self.lengths, before, self.lengths[before] + arrival.length)
        else:
            made = self._add(arrival, clock)
            journal.put(self.nexts, made, self.nexts[before])
            journal.put(self.nexts, before, made)

    def _continues(self, piece: int, arrival: Arrival) -> bool:
        number = arrival.runs.number
        clock = arrival.runs.next
        return (
            self.clients[piece] == number
            and arrival.origin_client == number
            and arrival.origin_clock == clock - 1
            and self.clocks[piece] + self.lengths[piece] == clock
            and self.right_clients[piece] == arrival.right_client
            and self.right_clocks[piece] == arrival.right_clock
        )
