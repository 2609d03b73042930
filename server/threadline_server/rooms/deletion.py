"""The delete set of one update: what of it is new, and whether it may be.

What is deleted already is left out. A unit that is not may be deleted if the rules grant it, if a type around
it is deleted (by this update or before), or if another value has its key: replicas delete the value that lost
by themselves, and their next delete set says so.

That other value may still be on its way: updates are delivered in any order, and a delete set alone does not
wait for anything in yrs and Yjs. So in a plain update the deletion of a value (no container) at a key that
its sender may write is *not yet*; in a step 2, which has all that the sender has, it is refused.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from threadline.errors import Refused
from threadline_server.rooms.delete_set import DeleteSet
from threadline_server.rooms.item_index import (
    BURST,
    KIND_MASK,
    NO_KEY,
    NO_TYPE,
    ClientRuns,
    ItemIndex,
)
from threadline_server.rooms.judge import Judge, readable
from threadline_server.rooms.key_contest import KeyContest
from threadline_server.rooms.update_reader import malformed
from threadline_server.rooms.update_writer import Accepted


class _Doubtful:
    """Units `start` to `end`, alike in place, that the rules do not grant."""

    __slots__ = ("end", "key_id", "runs", "start", "type_id")

    def __init__(self, runs: ClientRuns, start: int, end: int, type_id: int, key_id: int) -> None:
        self.runs: ClientRuns = runs
        self.start: int = start
        self.end: int = end
        self.type_id: int = type_id
        self.key_id: int = key_id


class Deletion:
    """`accepted` is to be passed on, `verbatim` whether that is all of the delete set, once `advance` gives
    True. `sound` is False where the log has what no device may send."""

    __slots__ = (
        "_at",
        "_clock",
        "_deletes",
        "_doubtful",
        "_end",
        "_expected",
        "_index",
        "_judge",
        "_replaced",
        "_runs",
        "_starts",
        "_users",
        "_whole",
        "accepted",
        "gap",
        "sound",
        "verbatim",
    )

    def __init__(
        self,
        index: ItemIndex,
        judge: Judge | None,
        users: list[str],
        taken: Sequence[Accepted],
        replaced: list[tuple[int, int]],
        deletes: list[tuple[int, int, int]],
        *,
        gap: bool,
        whole: bool,
    ) -> None:
        """With a `gap` what is not granted is not yet: its reason may be missing. `whole` says that there is
        nothing more to come.
        """
        self._deletes: list[tuple[int, int, int]] = deletes
        self._expected: bool = gap
        self._whole: bool = whole
        self._at: int = 0
        self._runs: ClientRuns | None = None
        self._clock: int = 0
        self._end: int = 0
        self._index: ItemIndex = index
        self._judge: Judge | None = judge
        self._users: list[str] = users
        self._starts: dict[int, int] = {}
        for section in taken:
            self._starts[section.client] = section.clock
        self._replaced: dict[int, list[int]] = {}
        for client, clock in replaced:
            self._replaced.setdefault(client, []).append(clock)
        for clocks in self._replaced.values():
            clocks.sort()
        self._doubtful: list[_Doubtful] = []
        self.accepted: DeleteSet = DeleteSet()
        self.gap: bool = False
        self.verbatim: bool = True
        self.sound: bool = True

    def advance(self, count: int) -> bool:
        """Look at about `count` more ranges and rows; whether that was the end. Raises MalformedUpdate or
        Refused.
        """
        while count > 0:
            count -= 1
            runs = self._runs
            if runs is not None:
                self._clock = self._step(runs, self._clock, self._end)
                if self._clock >= self._end:
                    self._runs = None
            elif self._at < len(self._deletes):
                client, clock, length = self._deletes[self._at]
                self._at += 1
                self._begin(client, clock, clock + length)
            else:
                if self._doubtful:
                    self._settle(gap=self._expected or self.gap, whole=self._whole)
                return True
        return False

    def _begin(self, client: int, clock: int, end: int) -> None:
        """One range of the delete set."""
        runs = self._index.by_id.get(client)
        if runs is None or clock >= runs.next:
            self.gap = True
            self.verbatim = False
            return
        if end > runs.next:
            end = runs.next
            self.gap = True
            self.verbatim = False
        if runs.splits_pair(clock) or runs.splits_pair(end):
            if self._judge is not None:
                malformed("a deletion begins or ends inside a character")
            self.sound = False
        self._runs = runs
        self._clock = clock
        self._end = end

    def _step(self, runs: ClientRuns, clock: int, end: int) -> int:
        """From `clock` to the end of what is alike; where that is."""
        dead = min(runs.dead_until(clock), end)
        if dead > clock:
            self._dead(runs, clock, dead)
            return dead
        return self._alive(runs, clock, runs.alive_until(clock, end))

    def _dead(self, runs: ClientRuns, clock: int, end: int) -> None:
        """Units that are deleted: passed on where it is this update that deleted them in another way."""
        client = runs.client
        own = max(clock, self._starts.get(client, runs.next))
        if own < end:
            self.accepted.add(client, own, end)
        before = min(end, own)
        clocks = self._replaced.get(client)
        if clocks is None:
            self.verbatim = self.verbatim and clock == before
            return
        first = bisect_left(clocks, clock)
        last = bisect_left(clocks, before)
        for at in range(first, last):
            self.accepted.add(client, clocks[at], clocks[at] + 1)
        if last - first < before - clock:
            self.verbatim = False

    def _alive(self, runs: ClientRuns, clock: int, end: int) -> int:
        """What of it is in one row; where that ends."""
        row = runs.row_at(clock)
        until = min(runs.row_end(row), end)
        if runs.metas[row] & KIND_MASK == BURST:
            until = clock + 1
        type_id = runs.parents[row]
        key_id = self._index.key_at(runs, row, clock)
        if self._granted(runs, type_id, key_id):
            self._accept(runs, clock, until)
        else:
            self._doubtful.append(_Doubtful(runs, clock, until, type_id, key_id))
        return until

    def _granted(self, runs: ClientRuns, type_id: int, key_id: int) -> bool:
        if self._judge is None:
            return True
        return self._judge.may_delete(type_id, key_id, runs.owner, self._users[runs.owner])

    def _accept(self, runs: ClientRuns, start: int, end: int) -> None:
        self._index.add_dead(runs, start, end)
        self.accepted.add(runs.client, start, end)

    # what the rules do not grant

    def _settle(self, *, gap: bool, whole: bool) -> None:
        self._take_what_goes_along()
        if self._doubtful:
            self._drop_what_lost()
            self._take_what_goes_along()
        if not self._doubtful:
            return
        if not gap:
            self._refuse(whole)
        self.gap = True
        self.verbatim = False

    def _refuse(self, whole: bool) -> None:
        """Raises Refused if one of the doubtful can have no reason that is still to come."""
        assert self._judge is not None
        for doubtful in self._doubtful:
            if whole or not self._may_be_replaced(doubtful):
                path = self._judge.path(doubtful.type_id, doubtful.key_id)
                raise Refused(readable(path), "You may not delete this.")

    def _may_be_replaced(self, doubtful: _Doubtful) -> bool:
        """Whether it is a value at a key at which the sender may put another. Containers, whose keys are ids
        that nobody gives twice, are not replaced."""
        runs = doubtful.runs
        if self._index.type_at(runs, doubtful.start) != NO_TYPE:
            return False
        assert self._judge is not None
        return self._judge.may_replace(doubtful.type_id, doubtful.key_id, runs)

    def _take_what_goes_along(self) -> None:
        """Take what is in a deleted type, outer types first: those taken have others in them."""
        depths = self._index.type_depths
        self._doubtful.sort(key=lambda doubtful: depths[doubtful.type_id])
        under: dict[int, bool] = {}
        rest: list[_Doubtful] = []
        for doubtful in self._doubtful:
            if self._under_dead(doubtful.type_id, under):
                self._accept(doubtful.runs, doubtful.start, doubtful.end)
            else:
                rest.append(doubtful)
        self._doubtful = rest

    def _under_dead(self, type_id: int, under: dict[int, bool]) -> bool:
        """Whether this type or one around it is deleted; `under` has what was found out before."""
        passed: list[int] = []
        found = False
        while type_id != NO_TYPE:
            known = under.get(type_id)
            if known is not None:
                found = known
                break
            passed.append(type_id)
            if self._index.type_is_dead(type_id):
                found = True
                break
            type_id = self._index.parent_type(type_id)
        for each in passed:
            under[each] = found
        return found

    def _drop_what_lost(self) -> None:
        """Mark what is deleted because another value won its key; such a deletion is nothing new."""
        contest = KeyContest(self._index)
        for doubtful in self._doubtful:
            if doubtful.key_id != NO_KEY:
                contest.ask(doubtful.runs, doubtful.end - 1)
            contest.ask_around(doubtful.type_id)
        contest.mark_losers()
        rest: list[_Doubtful] = []
        for doubtful in self._doubtful:
            if doubtful.runs.is_dead(doubtful.end - 1):
                self.verbatim = False
            else:
                rest.append(doubtful)
        self._doubtful = rest
