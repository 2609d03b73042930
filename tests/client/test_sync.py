"""The blocking facade: the same surface, driven from a thread without a loop."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.conftest import PATIENCE_S, Place
from tests.client.test_runs import TRAVEL

import threadline
from threadline.errors import NotSerializable, Refused, Unauthorized


def visit(url: str) -> None:
    """Everything a script does, on a thread of its own."""
    with threadline.sync.connect(url, token="ada") as client:
        session = client.open("trip")
        session["budget"] = 150
        session.update({"cart": {"items": [1]}})
        assert session["budget"] == session.get("budget") == 150
        assert "budget" in session
        assert sorted(session) == session.keys() == ["budget", "cart"]
        assert len(session) == 2
        assert dict(session.items()) == session.to_dict()
        del session["cart"]
        session.counters.add("views", 2)
        assert session.counters["views"] == 2
        session.draft.text = "typing"
        assert str(session.draft) == "typing"
        run = session.send("set budget 200")
        events = list(run.events())
        assert (events[0].type, events[-1].type) == ("session_start", "done")
        result = run.result(PATIENCE_S)
        assert result.output == "".join(e.content for e in events if e.type == "output")
        session.saved(PATIENCE_S)
        session.save()
        assert session.is_saved
        assert session["budget"] == 200
        assert session.messages[-1].text == result.output
        assert [message.role for message in session.messages] == ["user", "assistant"]
        assert len(session.messages[:1]) == 1
        assert session.presence.users == ["ada"]
        assert session.role == "owner"
        assert client.open("trip") == session
        assert "trip" in [info.id for info in client.sessions.list()]
        child = session.child("part")
        assert child["budget"] == 200
        with pytest.raises(KeyError):
            session["missing"]
        with pytest.raises(Refused):
            session["agent:x"] = 1
        with pytest.raises(NotSerializable):
            session["f"] = print
        with pytest.raises(AttributeError):
            session.no_such_thing  # noqa: B018
        assert "send" in dir(session)
        assert "trip" in repr(session)


def be_refused(url: str) -> None:
    with threadline.sync.connect(url, token="agent:x") as client, pytest.raises(Unauthorized):
        client.open("trip")


@pytest.mark.asyncio
async def test_the_same_surface_without_a_loop(place: Place) -> None:
    await place.start()
    await place.work(TRAVEL)
    await asyncio.to_thread(visit, place.url)


@pytest.mark.asyncio
async def test_errors_come_through_as_they_are(place: Place) -> None:
    await place.start()
    await asyncio.to_thread(be_refused, place.url)


@pytest.mark.asyncio
async def test_an_error_of_the_block_ends_the_client_and_passes(place: Place) -> None:
    await place.start()

    def fail() -> None:
        with threadline.sync.connect(place.url, token="ada") as client:
            client.open("trip")
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await asyncio.to_thread(fail)
    with pytest.raises(LookupError, match="mine"):
        async with place.connect("ada") as client:
            await client.open("trip")
            raise LookupError("mine")
