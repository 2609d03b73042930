"""The item index against a plain model of it."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from threadline_server.rooms.index_store import dump_index
from threadline_server.rooms.item_index import NO_KEY, NO_TYPE, ClientRuns, ItemIndex
from threadline_server.rooms.list_order import ListOrder
from threadline_server.rooms.update_reader import MAP, TEXT

Step = tuple[int, str, int, int]
steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["gone", "leaf", "husk", "node", "field", "again", "branch", "shell"]),
        st.integers(0, 4),
        st.integers(1, 4),
    ),
    max_size=80,
)


class Model:
    """For each unit (kind, type, key), every type that there is, and which units replaced the one before."""

    def __init__(self) -> None:
        self.index = ItemIndex()
        self.units: list[list[tuple[str, int, str]]] = [[], [], []]
        self.replaced: set[tuple[int, int]] = set()
        self.types = [self.index.root("m", MAP), self.index.root("t", TEXT)]
        self.runs = [self.index.add_client(client, 0) for client in (7, 1, 1 << 50)]

    def play(self, step: Step) -> None:
        who, what, place, count = step
        runs = self.runs[who]
        units = self.units[who]
        type_id = self.types[place % len(self.types)]
        key = f"key{place}"
        if what in ("gone", "leaf", "husk"):
            getattr(self.index, f"add_{what}")(*((runs, count) if what == "gone" else (runs, type_id, count)))
            units += [(what, NO_TYPE if what == "gone" else type_id, "")] * count
        elif what == "node":
            self.types.append(self.index.add_type(runs, TEXT, 1))
            self.index.add_node(runs, type_id)
            units.append((what, type_id, ""))
        elif what == "again":
            if units and units[-1][0] == "field":
                type_id, key = units[-1][1:]
                key_id = self._last_key(runs)
                if not self.index.extends_field(runs, type_id, key_id):
                    self.index.add_link(runs, runs, runs.next - 1)
                self.index.add_field(runs, type_id, key_id, follows=True)
                self.replaced.add((who, len(units)))
                units.append(("field", type_id, key))
        else:
            key_id = self.index.keys.add(key, not self.index.is_root(type_id))
            if what == "branch":
                self.types.append(self.index.add_type(runs, MAP, 1))
                self.index.add_branch(runs, type_id, key_id)
            elif what == "shell":
                self.index.add_shell(runs, type_id, key_id, count)
                self.replaced |= {(who, len(units) + later) for later in range(1, count)}
                units += [(what, type_id, key)] * (count - 1)
            else:
                self.index.add_field(runs, type_id, key_id, follows=False)
            units.append((what, type_id, key))

    def _last_key(self, runs: ClientRuns) -> int:
        return self.index.key_at(runs, len(runs.starts) - 1, runs.next - 1)

    def check(self) -> None:
        for who, (runs, units) in enumerate(zip(self.runs, self.units, strict=True)):
            assert runs.next == len(units)
            for clock, (kind, type_id, key) in enumerate(units):
                row = runs.row_at(clock)
                assert runs.starts[row] <= clock < runs.row_end(row)
                assert (self.index.type_at(runs, clock) != NO_TYPE) == (kind in ("node", "branch"))
                assert self.index.was_type(runs, clock) == (kind in ("gone", "husk", "shell"))
                if kind != "gone":
                    assert runs.parents[row] == type_id
                key_id = self.index.key_at(runs, row, clock)
                assert ("" if key_id == NO_KEY else self.index.keys.text(key_id)) == key
                before = (runs.client, clock - 1) if (who, clock) in self.replaced else (-1, 0)
                assert self.index.origin_of_field(runs, row, clock) == before


@settings(deadline=None)
@given(steps)
@example([(0, "node", 0, 1), (0, "field", 0, 1), (0, "field", 2, 1), (0, "again", 0, 1), (0, "field", 2, 1)])
def test_every_unit_is_where_it_was_put(script: list[Step]) -> None:
    model = Model()
    for step in script:
        model.play(step)
    model.check()


@settings(deadline=None)
@given(steps, steps)
def test_undoing_gives_back_what_was(before: list[Step], after: list[Step]) -> None:
    model = Model()
    for step in before:
        model.play(step)
    known = dump_index(model.index, ListOrder(model.index), ["ada"])
    model.index.begin()
    model.index.add_client(99, 0)
    for number, step in enumerate(after):
        for runs in model.runs:
            if runs.next:
                model.index.add_dead(runs, number % runs.next, runs.next)
        model.index.touch(model.runs[step[0]])
        model.play(step)
    model.index.root("new", MAP)
    model.index.undo()
    assert dump_index(model.index, ListOrder(model.index), ["ada"]) == known


def test_fields_of_maps_of_one_shape_share_a_row() -> None:
    index = ItemIndex()
    messages = index.root("messages", MAP)
    runs = index.add_client(7, 0)
    for number in range(50):
        message = index.add_type(runs, MAP, 1)
        index.add_branch(runs, messages, index.keys.add(f"ada/{number}", False))
        for key in ("role", "author", "created_at", "status"):
            index.add_field(runs, message, index.keys.add(key, True), follows=False)
    assert len(runs.starts) == 100
    assert len(index.keys) == 54
    row = runs.row_at(5 * 31 + 3)
    assert index.keys.text(index.key_at(runs, row, 5 * 31 + 3)) == "created_at"


intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=25)


@settings(deadline=None)
@given(intervals)
def test_deleted_units_are_intervals(deleted: list[tuple[int, int]]) -> None:
    index = ItemIndex()
    runs = index.add_client(7, 0)
    expected: set[int] = set()
    for start, length in deleted:
        index.add_dead(runs, start, start + length)
        expected |= set(range(start, start + length))
    assert {clock for clock in range(80) if runs.is_dead(clock)} == expected
    starts = runs.dead_starts
    assert len(starts or ()) == sum(clock - 1 not in expected for clock in expected)
    for clock in range(75):
        if clock in expected:
            assert runs.dead_until(clock) == _first(clock, lambda at: at not in expected)
        else:
            assert runs.alive_until(clock, 75) == min(75, _first(clock, lambda at: at in expected))


def _first(start: int, fits: Callable[[int], bool]) -> int:
    return next((at for at in range(start, 100) if fits(at)), 100)


@settings(deadline=None)
@given(st.text(alphabet="aé漢👍𝒳", max_size=20))
def test_surrogate_pairs_are_known(text: str) -> None:
    index = ItemIndex()
    runs = index.add_client(7, 0)
    index.add_pairs(runs, 3, text)
    units = text.encode("utf-16-le")
    for at in range(len(units) // 2):
        second_half = 0xDC <= units[2 * at + 1] < 0xE0
        assert runs.splits_pair(3 + at) == second_half
