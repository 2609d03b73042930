"""What a run has changed, and taking it back where nobody else has changed it since."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Map

from threadline.document.changes import MAX_BYTES, Changes, ChangeWatch

KEYS = st.sampled_from(["/a", "/b", "/c"])
WRITES = st.lists(st.tuples(st.booleans(), KEYS, st.none() | st.integers(0, 3)), max_size=12)


def write(state: Map[Any], key: str, value: object) -> None:
    if value is not None:
        state[key] = value
    elif key in state:
        del state[key]


@given(st.dictionaries(KEYS, st.integers(0, 3)), WRITES)
def test_a_leaf_goes_back_to_what_was_there_before_the_run_unless_others_set_it_since(
    before: dict[str, int | None], writes: list[tuple[bool, str, int | None]]
) -> None:
    doc: Doc[Any] = Doc()
    state = doc.get("state", type=Map)
    for key, value in before.items():
        state[key] = value
    watch = ChangeWatch(state, Changes())
    expected = dict(before)  # what would be there, had the run not written
    for by_run, key, value in writes:
        if not by_run and (value is not None or key in state):  # removing what is not there is no edit
            expected[key] = value
        with doc.transaction(origin=None if by_run else "others"):
            write(state, key, value)
    watch.close()
    final = state.to_py()
    assert final is not None
    kept = Changes.from_json(watch.changes.to_json())
    restored, left = kept.take_back(state)
    after = state.to_py()
    assert after is not None
    for key in ("/a", "/b", "/c"):
        if key in restored:
            assert after.get(key) == expected.get(key)
        else:
            assert after.get(key) == final.get(key)
    assert set(restored).isdisjoint(left)


def test_what_is_written_back_is_no_change() -> None:
    changes = Changes()
    changes.note("/a", (1,), (2,))
    changes.note("/a", (2,), (1,))
    changes.note("/b", (), (1,))
    changes.note("/b", (1,), ())
    assert len(changes) == 0


def test_more_than_is_kept_says_so() -> None:
    changes = Changes()
    changes.note("/a", (), ("x" * MAX_BYTES,))
    assert not Changes.from_json(changes.to_json()).is_whole
    assert Changes.from_json(None).is_whole
