"""Every role, root and action through a real socket: what is allowed reaches the owner, what is not changes
nothing anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pycrdt import Array, Map, Text
from tests.hostile import updates
from tests.hostile.house import HOST, ROLES, House, member_of
from tests.raw_device import RawDevice, until_equal
from tests.signing import token_of

from threadline.ids import new_entry_id
from threadline.protocol.awareness import decode_awareness
from threadline.protocol.ywebsocket import AwarenessUpdate, QueryAwareness

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = frozenset({"owner", "editor"})
WRITERS = PEOPLE | {"agent"}
KEEPERS = frozenset({"owner", "agent"})
AGENTS = frozenset({"agent"})
NOBODY: frozenset[str] = frozenset()

Act = Callable[[RawDevice], None]


def root(device: RawDevice, name: str) -> Map[object]:
    found: Map[object] = device.doc.get(name, type=Map)
    return found


def message(user: str, **fields: object) -> Map[object]:
    entry = {"role": "user", "author": {"user": user}, "created_at": 1, "text": Text("hi"), **fields}
    return Map(entry)


def own(device: RawDevice) -> str:
    return next(key for key in sorted(device.messages.keys()) if key.startswith(f"{device.user}/"))


def others(device: RawDevice) -> str:
    return next(key for key in sorted(device.messages.keys()) if not key.startswith(f"{device.user}/"))


def put(name: str, key: str, value: object) -> Act:
    def act(device: RawDevice) -> None:
        root(device, name)[key] = value

    return act


def remove(name: str, key: str) -> Act:
    def act(device: RawDevice) -> None:
        del root(device, name)[key]

    return act


def say(author: str | None = None, under: str | None = None, **fields: object) -> Act:
    def act(device: RawDevice) -> None:
        key = new_entry_id(under or device.user)
        device.messages[key] = message(author or device.user, **fields)

    return act


def intend(value: object, under: str | None = None) -> Act:
    def act(device: RawDevice) -> None:
        root(device, "intents")[new_entry_id(under or device.user)] = value

    return act


def edit_own(device: RawDevice) -> None:
    device.text_of(own(device)).insert(0, "So: ")


def cut_own(device: RawDevice) -> None:
    del device.text_of(own(device))[0:2]


def retract_own(device: RawDevice) -> None:
    device.messages[own(device)]["status"] = "retracted"


def remove_own(device: RawDevice) -> None:
    del device.messages[own(device)]


def edit_others(device: RawDevice) -> None:
    device.text_of(others(device)).insert(0, "not ")


def cut_others(device: RawDevice) -> None:
    del device.text_of(others(device))[0:2]


def retract_others(device: RawDevice) -> None:
    device.messages[others(device)]["status"] = "retracted"


def remove_others(device: RawDevice) -> None:
    del device.messages[others(device)]


def count_own(device: RawDevice) -> None:
    root(device, "counters")[f"views/{device.doc.client_id}"] = 1


def write_text_elsewhere(device: RawDevice) -> None:
    device.doc.get("notes", type=Text).insert(0, "free")


def write_list_elsewhere(device: RawDevice) -> None:
    device.doc.get("board", type=Array).append(1)


RUN = {"kind": "run", "device": "d", "at": 1, "message": "x", "goal": "go", "agent": "elsewhere"}
APPROVAL = {"kind": "approval", "device": "d", "at": 1, "run": "ada/r", "call": "c", "decision": "approve"}
CANCEL = {"kind": "cancel", "device": "d", "at": 1, "run": "ada/r"}

TABLE: dict[str, tuple[Act, frozenset[str]]] = {
    "meta: title": (put("meta", "title", "Trip"), KEEPERS),
    "meta: context": (put("meta", "/context/a", 1), KEEPERS),
    "meta: schema": (put("meta", "schema", 9), NOBODY),
    "meta: parent": (put("meta", "parent", "other"), NOBODY),
    "meta: another key": (put("meta", "extra", 1), NOBODY),
    "messages: one's own": (say(), PEOPLE),
    "messages: as the assistant": (say(role="assistant"), AGENTS),
    "messages: as the system": (say(role="system"), AGENTS),
    "messages: by another author": (say(author="someone"), NOBODY),
    "messages: under another's key": (say(under="someone"), NOBODY),
    "messages: under the agent's key": (say(under="agent:travel"), NOBODY),
    "messages: with a place": (say(seq=[1, "n"]), NOBODY),
    "messages: with a time of receipt": (say(received_at=1), NOBODY),
    "messages: streaming": (say(status="streaming"), NOBODY),
    "messages: streaming, as the assistant": (say(role="assistant", status="streaming"), AGENTS),
    "messages: by the agent, as a person": (say("agent:travel", role="assistant"), AGENTS),
    "messages: type into one's own": (edit_own, WRITERS),
    "messages: cut from one's own": (cut_own, WRITERS),
    "messages: retract one's own": (retract_own, WRITERS),
    "messages: remove one's own": (remove_own, NOBODY),
    "messages: type into another's": (edit_others, NOBODY),
    "messages: cut from another's": (cut_others, NOBODY),
    "messages: retract another's": (retract_others, NOBODY),
    "messages: remove another's": (remove_others, NOBODY),
    "state: a key": (put("state", "/city", "Rome"), WRITERS),
    "state: another value": (put("state", "/there", "changed"), WRITERS),
    "state: remove a key": (remove("state", "/there"), WRITERS),
    "state: the agent's": (put("state", "/agent:travel/x", 1), AGENTS),
    "state: a nested type": (put("state", "/nested", Map({})), NOBODY),
    "counters: one's own share": (count_own, WRITERS),
    "counters: another's share": (put("counters", "views/7", 100), NOBODY),
    "counters: the folded share": (put("counters", "views/folded", 100), NOBODY),
    "counters: no number": (put("counters", "views", "x"), NOBODY),
    "intents: to run": (intend(RUN), WRITERS),
    "intents: for another": (intend(RUN, under="someone"), NOBODY),
    "intents: to stop a run": (intend(CANCEL), WRITERS),
    "intents: to approve": (intend(APPROVAL), PEOPLE),
    "intents: to approve, as another": (intend(APPROVAL, under="ada2"), NOBODY),
    "intents: no intent": (intend({"kind": "root", "at": 1}), NOBODY),
    "runs: a run": (put("runs", "ada/r", Map({"status": "completed"})), AGENTS),
    "runs: a value": (put("runs", "ada/r", 1), NOBODY),
    "an application's text": (write_text_elsewhere, WRITERS),
    "an application's list": (write_list_elsewhere, WRITERS),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", TABLE)
async def test_who_may_do_what(house: House, role: str, case: str) -> None:
    act, allowed = TABLE[case]
    session = await house.session(role)
    async with house.device(session, HOST) as bystander, house.device(session, member_of(role)) as ada:
        await until_equal(bystander, ada)
        before = bystander.digest()
        act(ada)
        await ada.flush()
        if role in allowed:
            await ada.until_saved()
            await until_equal(bystander, ada)
            assert ada.refused == 0
        else:
            await ada.until(lambda: ada.refused == 1, "it was refused")
            async with house.device(session, HOST) as newcomer:
                assert newcomer.digest() == before
            await bystander.until_answered()
            assert bystander.digest() == before
            assert (ada.document_closed is None) == (role == "viewer")


async def test_someone_downgraded_while_away_is_refused_and_can_start_anew(house: House) -> None:
    """What was written offline as an editor comes back from a viewer: nothing of it is taken."""
    session = await house.session("editor")
    ada = RawDevice(session, "ada", token=token_of("ada"))
    await ada.join(house.server.url)
    await ada.until_synced()
    await ada.until_saved()
    await ada.leave()
    await ada.set("/written", "offline")
    async with house.api(HOST) as client:
        await house.grant(client, session, "ada", "viewer")
    await ada.join(house.server.url)
    await ada.until(lambda: ada.refused == 1, "the offline work was refused")
    await ada.leave()
    async with house.device(session, "ada") as anew, house.device(session, HOST) as host:
        assert "/written" not in anew.state
        await host.set("/more", 1)
        await until_equal(anew, host)


FORGED = {"user": HOST, "name": HOST, "role": "owner"}


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_is_present_as_who_they_are_and_nobody_as_another(house: House, role: str) -> None:
    """Whatever a device says of itself, others are told its user and role by the server."""
    session, member = await house.session(role), member_of(role)
    async with house.device(session, HOST) as host, house.device(session, member) as device:
        await host.send(appearance(host, 1, {"cursor": 1}))
        await device.until(lambda: bool(shown(device, host)), "the host appeared")
        await device.send(appearance(device, 1, {**FORGED, "cursor": 2}))
        await host.until(lambda: bool(shown(host, device)), "it appeared")
        assert shown(host, device) == [(member, role, 2)]
        await device.send(appearance(host, 9, {**FORGED, "cursor": 3}))
        await device.until_answered()
        async with house.device(session, HOST) as newcomer:
            await newcomer.send(QueryAwareness())
            await newcomer.until(lambda: bool(shown(newcomer, host)), "the host is there")
            assert shown(newcomer, host) == [(HOST, "owner", 1)]
        assert set(shown(device, host)) == {(HOST, "owner", 1)}


def appearance(device: RawDevice, clock: int, state: dict[str, object]) -> AwarenessUpdate:
    return AwarenessUpdate(updates.awareness((device.doc.client_id, clock, json.dumps(state))))


def shown(device: RawDevice, other: RawDevice) -> list[tuple[str, str, int]]:
    """(user, role, cursor) of each time that `device` was told of `other`."""
    entries = [entry for data in device.awareness for entry in decode_awareness(data)]
    states = [entry.state for entry in entries if entry.client == other.doc.client_id]
    return [(user_of(state), state["role"], state["cursor"]) for state in states if state]


def user_of(state: dict[str, Any]) -> str:
    user = state["user"]
    return str(user["id"] if isinstance(user, dict) else user)
