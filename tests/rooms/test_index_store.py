"""What of the gate is stored beside a base, and read again."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from tests.rooms.devices import Device

from threadline.document.rules import SESSION_RULES
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.key_table import KeyTable

FIRST_FORMAT = base64.b64decode(
    "VExYMQEDYWRhc2FkYS8wMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMGFyb2xlYXV0aG9yY3JlYXRlZF9hdHN0"
    "YXR1c3RleHRhZGEvMDE4OTAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDBiL2NpdHkgKAAAACwAAAAyAAAAPAAAAEIA"
    "AABGAAAAbgAAAHMAAAAIAAEBAQEBAAAYAAAAAAAAAAABAAAAAgAAAAMAAAAEAAAAGAAAAAACAAAABAAAAAYAAAAIAAAACwAA"
    "AAYAAQIDBAUCCG1lc3NhZ2VzBXN0YXRlGP////8AAAAAAAAAAAAAAAAAAAAA/////xgAAAAAAAAAAAUAAAAIAAAADQAAAAEA"
    "AAAGAQECAQIBBgABAgECABj//////////wAAAAD/////AAAAAP////8YAAAAAAAAAAAGAAAAAAAAAA4AAAAAAAAABAAAAAAE"
    "AAAAAAQAAAAABAAAAAAEAAAAAAQAAAAABAAAAAAEAAAAAAEHABEcAAAAAAEAAAAGAAAACAAAAAkAAAAOAAAAEAAAABwAAAAA"
    "AQAAAAIAAAAAAAAAAwAAAAQAAAAFAAAAHAQAAAAtAAAAAQAAADQAAAAtAAAAAQAAADsAAAAQAAAAAAUAAAAIAAAADQAAABAB"
    "AAAAAgAAAAMAAAAEAAAAAAAAAAAAAADcoyd7"
)
"""By the first version: two messages and a value of ada's, as client 7."""

HEX = st.text("0123456789abcdef", min_size=12, max_size=12)
ENTRY_IDS = st.builds(
    "{}/{}".format,
    st.sampled_from(["ada", "bob", "agent:travel", "a\nb", ""]),
    st.one_of(st.uuids().map(str), HEX.map(lambda end: f"01890000-0000-7000-8000-{end}")),
)
ODD_IDS = st.sampled_from(
    [
        "ada/01890000-0000-7000-8000-00000000000A",
        "ada/0189000000007000800000000000000a",
        "ada/01890000-0000-7000-8000-00000000000",
        "01890000-0000-7000-8000-00000000000a",
        "ada/0189000-00000-7000-8000-00000000000a",
        "ada/ 1890000-0000-7000-8000-00000000000a",
    ]
)
KEYS = st.lists(st.tuples(st.one_of(ENTRY_IDS, ODD_IDS, st.text(max_size=50)), st.booleans()), max_size=30)


def table_of(keys: list[tuple[str, bool]]) -> tuple[KeyTable, list[int]]:
    table = KeyTable()
    return table, [table.add(key, shared) for key, shared in keys]


def dumped(table: KeyTable) -> tuple[list[bytes], list[str]]:
    return [bytes(column) for column in table.columns()], list(table.prefixes())


@given(keys=KEYS)
def test_every_key_is_kept_as_it_was(keys: list[tuple[str, bool]]) -> None:
    table, ids = table_of(keys)
    blob, ends, kinds = table.columns()
    loaded = KeyTable()
    loaded.load(bytes(blob), ends.tobytes(), bytes(kinds), table.prefixes())
    for known in (table, loaded):
        assert [known.text(key_id) for key_id in ids] == [key for key, _ in keys]
    assert [loaded.is_common(key_id) for key_id in ids] == [table.is_common(key_id) for key_id in ids]


@given(kept=KEYS, undone=KEYS)
def test_keys_that_are_taken_back_leave_nothing(
    kept: list[tuple[str, bool]], undone: list[tuple[str, bool]]
) -> None:
    table, ids = table_of(kept)
    before, count = dumped(table), len(table)
    for key, shared in undone:
        table.add(key, shared)
    table.truncate(count)
    assert dumped(table) == before
    assert [table.add(key, shared) for key, shared in undone] == table_of(kept + undone)[1][len(ids) :]


def test_a_user_is_stored_once() -> None:
    table, _ = table_of([(f"ada/01890000-0000-7000-8000-{number:012}", False) for number in range(1000)])
    assert table.byte_size() < 1000 * 24


def test_many_users_are_stored_too() -> None:
    keys = [(f"user{number}/01890000-0000-7000-8000-000000000000", False) for number in range(1000)]
    table, ids = table_of(keys)
    assert [table.text(key_id) for key_id in ids] == [key for key, _ in keys]


def test_the_first_format_is_read() -> None:
    gate = Gate.load(FIRST_FORMAT, SESSION_RULES)
    assert gate.owner(7) == "ada"
    assert gate.clocks() == {7: 17}
    assert gate.dump() != FIRST_FORMAT
    again = Gate.load(gate.dump(), SESSION_RULES)
    assert again.dump() == gate.dump()
    assert again.stats()["types"] == gate.stats()["types"] == 6
    device = Device("ada", client_id=8)
    device.write_message("and on")
    for known in (gate, again):
        assert known.admit(device.doc.get_update(), device.actor).update is not None


def test_a_part_of_a_key_is_looked_for_in_what_came_since() -> None:
    table, _ = table_of([("/name", False), ("/name/~", False)])
    assert not table.may_have(b"/~@")
    count = len(table)
    table.add("/taken back/~@", False)
    table.truncate(count)
    assert not table.may_have(b"/~@")
    table.add("/x", False)
    assert not table.may_have(b"/~@")
    table.add("/name/~@", False)
    assert table.may_have(b"/~@")
    blob, ends, kinds = table.columns()
    loaded = KeyTable()
    loaded.load(bytes(blob), ends.tobytes(), bytes(kinds), table.prefixes())
    assert loaded.may_have(b"/~@")
