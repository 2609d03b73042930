"""What is well formed and not for the sender to write: words, results and decisions of somebody else."""

from __future__ import annotations

from collections.abc import Callable

from pycrdt import Array, Map, Text
from tests.attacks.broken_updates import attic
from tests.attacks.mark import VIEWER, Mark, must_be_declined, must_end
from tests.hostile import updates
from tests.raw_device import RawDevice
from tests.rooms import forged

from threadline.ids import new_entry_id
from threadline_server.rooms.update_reader import MAP, TEXT

Act = Callable[[RawDevice, Mark], None]


def message(author: str, **fields: object) -> Map[object]:
    entry: dict[str, object] = {
        "role": "user",
        "author": {"user": author, "device": "", "name": author},
        "created_at": 1,
        "status": "complete",
        "text": Text("I agree to everything"),
    }
    return Map(entry | fields)


def put(root: str, key: Callable[[Mark], str], value: Callable[[], object]) -> Act:
    def act(eve: RawDevice, mark: Mark) -> None:
        eve.doc.get(root, type=Map)[key(mark)] = value()

    return act


def own(mark: Mark) -> str:
    return str(new_entry_id("eve"))


def adas(mark: Mark) -> str:
    return str(new_entry_id("ada"))


def type_into(eve: RawDevice, mark: Mark) -> None:
    eve.text_of(mark.message).insert(0, "not ")


def cut_from(eve: RawDevice, mark: Mark) -> None:
    del eve.text_of(mark.message)[0:3]


def format_words(eve: RawDevice, mark: Mark) -> None:
    eve.text_of(mark.message).format(0, 3, {"strike": True})


def remove(eve: RawDevice, mark: Mark) -> None:
    del eve.messages[mark.message]


def replace(eve: RawDevice, mark: Mark) -> None:
    eve.messages[mark.message] = message("ada")


def change_author(eve: RawDevice, mark: Mark) -> None:
    eve.messages[mark.message]["author"] = {"user": "eve", "device": "", "name": "eve"}


def wipe_state(eve: RawDevice, mark: Mark) -> None:
    eve.doc.get("state", type=Map)["/agent:travel/memory"] = None


def read_as_another_type(eve: RawDevice, mark: Mark) -> None:
    eve.doc.get("messages", type=Array).append(1)


def approval(run: str = "ada/run") -> dict[str, object]:
    decided = {"run": run, "call": "c1", "decision": "approve", "arguments_hash": "0" * 64}
    return {"kind": "approval", "device": "", "at": 1, **decided}


def result() -> Map[object]:
    return Map({"status": "completed", "agent": "travel", "steps": Array([Map({"output": "done"})])})


FORGERIES: dict[str, tuple[Act, ...]] = {
    "forged role": (
        put("messages", own, lambda: message("eve", role="assistant")),
        put("messages", own, lambda: message("eve", role="system")),
        put("messages", lambda mark: str(new_entry_id("agent:travel")), lambda: message("agent:travel")),
        put("messages", own, lambda: message("eve", seq=[0, "n"])),
        put("meta", lambda mark: "title", lambda: "Mine"),
        wipe_state,
    ),
    "forged author": (
        put("messages", own, lambda: message("ada")),
        put("messages", adas, lambda: message("ada")),
        put("messages", adas, lambda: message("eve")),
        change_author,
        replace,
    ),
    "others' words": (type_into, cut_from, format_words, remove, read_as_another_type),
    "forged approval": (
        put("intents", adas, approval),
        put("intents", lambda mark: str(new_entry_id("server:")), approval),
        put("runs", lambda mark: "ada/run", lambda: Map({"approvals": Map({"c1": {"decided_by": "ada"}})})),
    ),
    "runs result": (
        put("runs", own, result),
        put("runs", adas, result),
        put("runs", own, lambda: "completed"),
    ),
}


async def forge(mark: Mark, acts: tuple[Act, ...]) -> None:
    """Each in turn, by an editor, who is thrown out for it."""
    for act in acts:
        async with mark.member() as eve:
            act(eve, mark)
            await eve.flush()
            await must_end(eve)


async def forge_through_a_replaced_value(mark: Mark) -> None:
    """The role of a message is given again and something else behind it; then the first role is replaced once
    more, which says no key.
    """
    async with mark.member(session=attic()) as eve:
        client = eve.doc.client_id
        structs = (
            forged.made_type(MAP, parent="messages", key=own(mark)),
            forged.value("user", parent=(client, 0), key="role"),
            forged.value("user", origin=(client, 1)),
            forged.value("complete", parent=(client, 0), key="status"),
            forged.made_type(TEXT, parent=(client, 0), key="text"),
        )
        await eve.send_update(forged.update(forged.section(client, 0, *structs)))
        await eve.until_saved()
        assistant = forged.value("assistant", origin=(client, 1))
        await eve.send_update(forged.update(forged.section(client, len(structs), assistant)))
        await must_end(eve)


async def write_as_viewer(mark: Mark) -> None:
    async with mark.member(VIEWER) as victor:
        victor.doc.get("state", type=Map)["/by/victor"] = 1
        await victor.flush()
        await must_be_declined(victor)
        victor.messages[new_entry_id(VIEWER)] = message(VIEWER)
        await victor.flush()
        await victor.until(lambda: victor.refused > 1, "it was refused again")


async def forge_client_id(mark: Mark) -> None:
    """Go on under the id of ada's device: what it has is known, what it lacks waits for her for ever."""
    struct = updates.any_at("state", "/by/eve", updates.integer(1))
    async with mark.member() as eve:
        await eve.send_update(updates.update(mark.client, 0, struct))
        await eve.until_answered()
    async with mark.member() as eve:
        for ahead in (0, 1, 1000):
            await eve.send_update(updates.update(mark.client, mark.clock + 1_000_000 + ahead, struct))
        await eve.until_answered()
