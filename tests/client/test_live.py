"""Sessions on a real server: joining, sharing, what is durable, presence, drafts, asking."""

from __future__ import annotations

import gc
import weakref

import pytest
from tests.client.conftest import PATIENCE_S, Connect, Place, until

import threadline
from threadline.backoff import Backoff
from threadline.document.intents import RunIntent, TitleIntent
from threadline.errors import (
    ConfigurationError,
    NotSerializable,
    Refused,
    SessionDeleted,
    SessionError,
    SessionNotFound,
    Unauthorized,
)
from threadline.http_api import Unreachable


@pytest.mark.row("S1-38")
@pytest.mark.asyncio
async def test_two_users_share_a_session(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        assert (hers.role, his.role) == ("owner", "editor")
        assert hers.durability in ("fsync", "process")
        hers["budget"] = 150
        hers.add_message("user", "Hello 👋")
        await hers.saved(PATIENCE_S)
        assert hers.is_saved
        await until(his, lambda: his.get("budget") == 150 and len(his.messages) == 1)
        assert his.messages[-1].text == "Hello 👋"
        assert his.messages[-1].author.user == "ada"
        assert his.messages[-1].seq is not None
        his["hotel"] = {"name": "Adlon", "nights": 2}
        await until(hers, lambda: "hotel" in hers)
        assert hers["hotel"] == {"name": "Adlon", "nights": 2}
        assert hers.document.digest() == his.document.digest()


@pytest.mark.asyncio
async def test_a_session_larger_than_one_message_of_a_device_is_opened(connect: Connect) -> None:
    pages = {f"page {number}": "x" * 900_000 for number in range(20)}
    async with connect("ada") as ada, connect("bob") as bob:
        hers = await ada.open("trip")
        for name, text in pages.items():
            hers[name] = text
            await hers.saved(PATIENCE_S)
        his = await bob.open("trip")
        await until(his, lambda: dict(his) == pages)


@pytest.mark.asyncio
async def test_who_is_here(connect: Connect) -> None:
    async with connect("ada", device="Phone") as ada:
        session = await ada.open("trip")
        async with connect("bob") as bob:
            other = await bob.open("trip")
            await until(session, lambda: session.presence.users == ["ada", "bob"])
            other.presence.set(typing=True)
            await until(session, lambda: any(member.state.get("typing") for member in session.presence))
            await until(other, lambda: "Phone" in {member.device for member in other.presence})
        await until(session, lambda: session.presence.users == ["ada"])


@pytest.mark.asyncio
async def test_the_draft_follows_its_user_and_nobody_else(connect: Connect) -> None:
    async with connect("ada") as phone, connect("ada") as laptop, connect("bob") as bob:
        here, there, his = await phone.open("trip"), await laptop.open("trip"), await bob.open("trip")
        here.draft.text = "Find hotels in"
        await until(there, lambda: there.draft.text == "Find hotels in")
        there.draft.text += " Berlin"
        await until(here, lambda: here.draft.text == "Find hotels in Berlin")
        await there.saved(PATIENCE_S)
        assert his.draft.text == ""
        await here.send("Find hotels in Berlin")
        await until(there, lambda: there.draft.text == "" and len(there.messages) == 1)


@pytest.mark.asyncio
async def test_what_the_rules_forbid_is_refused_before_it_is_written(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        digest = his.document.digest()
        with pytest.raises(Refused, match="agent alone"):
            his["agent:plan"] = 1
        with pytest.raises(Refused, match="role of a message"):
            his.add_message("assistant", "I am the agent")
        with pytest.raises(Refused, match="not written by the role"):
            his.context.set("location", "Berlin")
        with pytest.raises(NotSerializable):
            his["f"] = print
        assert his.document.digest() == digest
        hers.context.set("location", "Berlin")
        hers.title = "Her title"
        his.title = "His wish"
        assert [i.title for i in his.document.intents.by_time() if isinstance(i, TitleIntent)] == ["His wish"]
        await hers.saved(PATIENCE_S)
        await his.saved(PATIENCE_S)
        assert not hers.recovered
        assert not his.recovered


@pytest.mark.asyncio
async def test_a_run_is_asked_for_beside_its_message(connect: Connect) -> None:
    async with connect("ada", device="Pixel 9") as ada:
        session = await ada.open("trip")
        run = await session.send("Find hotels", agent="travel", limits={"max_steps": 3}, on_busy="reject")
        intent = session.document.intents.get(run.id)
        assert isinstance(intent, RunIntent)
        assert (intent.agent, intent.limits, intent.on_busy) == ("travel", {"max_steps": 3}, "reject")
        assert intent.message == session.messages[-1].id
        assert intent.device == "Pixel 9"
        assert run.status == "queued"
        await session.saved(PATIENCE_S)
        await until(session, lambda: session.messages[-1].seq is not None)


@pytest.mark.asyncio
async def test_undo_of_one_device_is_seen_on_the_other(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        hers["a"] = 1
        hers.add_message("user", "oops")
        await until(his, lambda: "a" in his and len(his.messages) == 1)
        his["b"] = 2
        await until(hers, lambda: "b" in hers)
        assert hers.undo()
        assert hers.undo()
        await until(his, lambda: "a" not in his and len(his.messages) == 0)
        assert his.to_dict() == {"b": 2}
        await hers.saved(PATIENCE_S)


@pytest.mark.row("S1-19")
@pytest.mark.asyncio
async def test_a_child_session_is_listed_below_its_parent(connect: Connect) -> None:
    async with connect("ada") as ada:
        parent = await ada.open("main")
        parent["city"] = "Berlin"
        children = [await parent.child(f"part-{number}") for number in range(3)]
        assert all(child["city"] == "Berlin" for child in children)
        children[0]["city"] = "Munich"
        assert parent["city"] == "Berlin"
        listed = await ada.sessions.list(parent="main")
        assert sorted(info.id for info in listed) == ["part-0", "part-1", "part-2"]


@pytest.mark.asyncio
async def test_an_unknown_session_is_not_made_unless_wanted(connect: Connect) -> None:
    async with connect("ada") as ada:
        with pytest.raises(SessionNotFound) as caught:
            await ada.open("nowhere", create=False)
        assert caught.value.session_id == "nowhere"
        assert await ada.sessions.list() == []
        with pytest.raises(ValueError, match="session id"):
            await ada.open("not a name")


@pytest.mark.asyncio
async def test_a_wrong_token_is_said_to_be_wrong(connect: Connect) -> None:
    async with connect("agent:nobody") as client:
        with pytest.raises(Unauthorized):
            await client.open("trip")
        with pytest.raises(Unauthorized):
            await client.sessions.list()


@pytest.mark.asyncio
async def test_a_token_that_is_fetched(connect: Connect, place: Place) -> None:
    asked: list[int] = []

    async def fetch() -> str:
        asked.append(1)
        return "ada"

    async with threadline.connect(place.url, token=fetch) as client:
        session = await client.open("trip")
        assert session.user_id == "ada"
    assert asked


@pytest.mark.asyncio
async def test_a_token_that_cannot_be_fetched_yet(connect: Connect, place: Place) -> None:
    failures = [OSError("no network"), LookupError("nobody signed in")]

    def fetch() -> str:
        if failures:
            raise failures.pop()
        return "ada"

    async with threadline.connect(place.url, token=fetch, backoff=Backoff(0.01, 0.05)) as client:
        assert (await client.open("trip")).user_id == "ada"
    assert not failures


@pytest.mark.row("S1-28")
@pytest.mark.asyncio
async def test_deleting_ends_it_on_every_device(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        await hers.close(delete=True)
        with pytest.raises(SessionDeleted):
            await until(his, lambda: False)
        assert his.status == "stopped"
        with pytest.raises(SessionDeleted):
            await ada.open("trip")
        with pytest.raises(SessionError):
            await hers.send("too late")
        with pytest.raises(SessionError):
            hers["late"] = 1


@pytest.mark.asyncio
async def test_the_catalogue(connect: Connect) -> None:
    async with connect("ada") as ada:
        made = await ada.sessions.create(title="A trip", labels=["work"])
        assert (await ada.sessions.get(made.id)).title == "A trip"
        assert [info.id for info in await ada.sessions.list(label="work")] == [made.id]
        assert (await ada.sessions.update(made.id, title="Another")).title == "Another"
        await ada.sessions.delete(made.id)
        with pytest.raises(SessionDeleted):
            await ada.sessions.get(made.id)


@pytest.mark.asyncio
async def test_a_server_that_is_not_there(place: Place) -> None:
    async with place.connect("ada") as client:
        with pytest.raises(Unreachable, match="no copy of trip"):
            await client.open("trip", timeout_s=0.2)
        with pytest.raises(Unreachable):
            await client.sessions.list()
    with pytest.raises(ConfigurationError, match="not the address"):
        threadline.connect("ftp://example.org")


@pytest.mark.asyncio
async def test_opening_twice_gives_the_same_session(connect: Connect) -> None:
    async with connect("ada") as ada:
        session = await ada.open("trip")
        assert await ada.open("trip") is session
        await session.close()
        again = await ada.open("trip")
        assert again is not session
        await again.joined(PATIENCE_S)


@pytest.mark.asyncio
async def test_a_large_value_and_many_small_ones(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        hers.add_message("user", "x" * 1_500_000)
        for number in range(300):
            hers[f"key{number}"] = number
        await hers.saved(PATIENCE_S)
        await until(his, lambda: len(his) == 300)
        assert len(his.messages[0].text) == 1_500_000


@pytest.mark.asyncio
async def test_a_closed_session_leaves_nothing_behind(connect: Connect) -> None:
    async with connect("ada") as client:

        async def come_and_go() -> weakref.ref[object]:
            session = await client.open("trip")
            session["budget"] = 150
            session.add_message("user", "Hello")
            await session.saved(PATIENCE_S)
            await session.close()
            return weakref.ref(session)

        closed = await come_and_go()
        gc.collect()
        assert closed() is None
