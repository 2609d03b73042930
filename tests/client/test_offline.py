"""Being cut off: the server goes and comes back, the program ends and starts again, copies are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycrdt import Map
from tests.client.conftest import PATIENCE_S, Place, until, until_equal
from tests.server_process import server_process

from threadline.backoff import Backoff
from threadline.client import Client
from threadline.errors import ConfigurationError, LineageMismatch, ReplicaRejected, StoreBusy
from threadline.live_session import LiveSession
from threadline.offline_store import OfflineStore


def forge(session: LiveSession) -> None:
    """Write what the rules forbid, past the check that the SDK makes."""
    session.document.doc.get("state", type=Map)["/agent:plan"] = "forged"


@pytest.mark.row("S1-25")
@pytest.mark.asyncio
async def test_two_devices_edit_while_the_server_is_away(place: Place) -> None:
    await place.start()
    async with place.connect("ada") as phone, place.connect("ada") as laptop:
        here, there = await phone.open("trip"), await laptop.open("trip")
        here["cart"] = {"items": ["pen"], "note": ""}
        await here.saved(PATIENCE_S)
        await until(there, lambda: "cart" in there)
        await place.stop()
        await until(here, lambda: here.status == "offline")
        await until(there, lambda: there.status == "offline")
        here["cart"] = {"items": ["pen", "ink"], "note": "gift"}
        there["cart"] = {"items": ["pen", "paper"], "note": "", "city": "Berlin"}
        here.counters.add("views", 2)
        there.counters.add("views", 3)
        here.draft.text = "one "
        run = await there.send("asked offline")
        assert not here.is_saved
        assert run.status == "queued"
        with pytest.raises(TimeoutError):
            await here.saved(0.01)
        await place.start()
        await here.saved(PATIENCE_S)
        await there.saved(PATIENCE_S)
        await until_equal(here, there)
        assert sorted(here["cart"]["items"]) == ["ink", "paper", "pen"]
        assert (here["cart"]["note"], here["cart"]["city"]) == ("gift", "Berlin")
        assert here.counters["views"] == 5
        await until(there, lambda: there.draft.text == "one ")
        assert run.id in there.document.intents.ids()


@pytest.mark.row("S1-13")
@pytest.mark.asyncio
async def test_a_killed_server_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with server_process(data) as server:
        port = server.url.rsplit(":", 1)[1]
        async with Client(server.url, token="ada", backoff=Backoff(0.01, 0.1)) as ada:
            session = await ada.open("trip")
            for number in range(50):
                session[f"k{number}"] = number
                session.add_message("user", f"message {number}")
            await session.saved(PATIENCE_S)
            await server.kill()
            await until(session, lambda: session.status == "offline")
            session["offline"] = True
            async with server_process(data, "--port", port) as again:
                assert again.url == server.url
                await session.saved(PATIENCE_S)
                async with Client(again.url, token="bob") as bob:
                    other = await bob.open("trip")
                    assert other.document.digest() == session.document.digest()
                    assert len(other.messages) == 50
                    assert other["offline"] is True


@pytest.mark.asyncio
async def test_a_program_that_ends_offline_sends_when_it_is_started_again(
    place: Place, tmp_path: Path
) -> None:
    store = tmp_path / "ada.sqlite"
    await place.start()
    async with place.connect("ada", store=store) as client:
        session = await client.open("trip")
        session["online"] = 1
        await session.saved(PATIENCE_S)
        await place.stop()
        await until(session, lambda: session.status == "offline")
        session["offline"] = 2
        asked = await session.send("are you there?")
    async with place.connect("", store=store) as client:
        session = await client.open("trip")
        assert session.user_id == "ada"
        assert session.to_dict() == {"online": 1, "offline": 2}
        assert not session.is_saved
        session["later"] = 3
    await place.start()
    async with place.connect("ada", store=store) as client:
        session = await client.open("trip")
        await session.saved(PATIENCE_S)
    async with place.connect("bob") as bob:
        other = await bob.open("trip")
        assert other.to_dict() == {"online": 1, "offline": 2, "later": 3}
        assert asked.id in other.document.intents.ids()
        assert other.messages[-1].seq is not None


@pytest.mark.asyncio
async def test_what_is_acknowledged_is_noted_in_the_store(place: Place, tmp_path: Path) -> None:
    await place.start()
    async with place.connect("ada", store=tmp_path / "s") as client:
        session = await client.open("trip")
        session["a"] = 1
        await session.saved(PATIENCE_S)
        await place.stop()
        await until(session, lambda: session.status == "offline")
        session["b"] = 1
    store = OfflineStore(tmp_path / "s")
    await store.open()
    copy = await store.load("trip")
    await store.close()
    assert copy is not None
    [own] = copy.own
    assert own.acknowledged > 0
    assert own.waiting == 1
    assert copy.lineage


@pytest.mark.asyncio
async def test_a_new_session_can_begin_offline(place: Place) -> None:
    async with place.connect("ada", user="ada") as client:
        session = await client.open("trip")
        session["made"] = "offline"
        run = await session.send("hello")
        assert run.id.startswith("ada/")
        await place.start()
        await session.saved(PATIENCE_S)
        assert session.role == "owner"


@pytest.mark.asyncio
async def test_after_a_refusal_it_goes_on_with_what_may_be_said(place: Place) -> None:
    await place.start()
    async with place.connect("ada") as ada, place.connect("bob") as bob:
        hers, his = await ada.open("trip"), await bob.open("trip")
        hers["before"] = 1
        await hers.saved(PATIENCE_S)
        await place.stop()
        await until(hers, lambda: hers.status == "offline")
        hers["while offline"] = 2
        run = await hers.send("said offline")
        forge(hers)
        old_client = hers.document.doc.client_id
        await place.start()
        await until(hers, lambda: bool(hers.recovered))
        [recovery] = hers.recovered
        assert "agent" in recovery.reason
        assert run.id in recovery.replayed
        assert recovery.kept == {"agent:plan": "forged", "while offline": 2}
        assert hers.document.doc.client_id != old_client
        await hers.saved(PATIENCE_S)
        await until(his, lambda: len(his.messages) == 1)
        assert his.messages[-1].text == "said offline"
        assert run.id in his.document.intents.ids()
        assert his.to_dict() == {"before": 1}
        assert [aside.code for aside in ada.set_aside] == ["replica_rejected"]
        hers["after"] = 3
        await until(his, lambda: "after" in his)


@pytest.mark.asyncio
async def test_saved_says_that_something_was_refused(place: Place) -> None:
    await place.start()
    async with place.connect("ada") as ada:
        session = await ada.open("trip")
        forge(session)
        with pytest.raises(ReplicaRejected):
            await session.saved(PATIENCE_S)
        session["good"] = 1
        await session.saved(PATIENCE_S)
        assert session.to_dict() == {"good": 1}


@pytest.mark.asyncio
async def test_a_refused_copy_from_the_store_is_kept_for_its_user(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "ada.sqlite"
    await place.start()
    async with place.connect("ada", store=store) as client:
        session = await client.open("trip")
        await place.stop()
        await until(session, lambda: session.status == "offline")
        forge(session)
        session.add_message("user", "kept")
    await place.start()
    async with place.connect("ada", store=store) as client:
        session = await client.open("trip")
        await until(session, lambda: bool(session.recovered))
        await until(session, lambda: [m.text for m in session.messages] == ["kept"])
        await session.saved(PATIENCE_S)
    async with place.connect("ada", store=store) as client:
        assert [aside.document for aside in client.set_aside] == ["trip"]
        assert (await client.open("trip")).to_dict() == {}


@pytest.mark.asyncio
async def test_a_replica_can_be_reset_by_hand(place: Place) -> None:
    await place.start()
    async with place.connect("ada") as ada:
        session = await ada.open("trip")
        session["k"] = 1
        await session.saved(PATIENCE_S)
        recovery = await session.reset_replica()
        assert recovery.kept == {}
        assert session["k"] == 1
        session["k"] = 2
        await session.saved(PATIENCE_S)


@pytest.mark.asyncio
async def test_another_session_of_the_same_name_is_not_mixed_in(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "ada.sqlite"
    await place.start("first")
    async with place.connect("ada", store=store) as client:
        session = await client.open("trip")
        session["of"] = "the first"
        await session.saved(PATIENCE_S)
    await place.stop()
    await place.start("second")
    async with place.connect("ada", store=store) as client:
        with pytest.raises(LineageMismatch):
            await client.open("trip")
        assert "trip" in [aside.document for aside in client.set_aside]
        session = await client.open("trip")
        assert session.is_empty
        session["of"] = "the second"
        await session.saved(PATIENCE_S)
        imported = client.import_set_aside("trip")
        assert imported.to_dict() == {"of": "the first"}


@pytest.mark.asyncio
async def test_a_session_replaced_while_it_is_open(place: Place) -> None:
    await place.start("first")
    async with place.connect("ada") as client:
        session = await client.open("trip")
        session["of"] = "the first"
        await session.saved(PATIENCE_S)
        await place.stop()
        await place.start("second")
        with pytest.raises(LineageMismatch):
            await until(session, lambda: False)
        recovery = await session.reset_replica()
        assert recovery.replayed == []
        assert session.is_empty
        session["of"] = "the second"
        await session.saved(PATIENCE_S)


@pytest.mark.asyncio
async def test_a_store_is_of_one_user_and_one_process(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    await place.start()
    async with place.connect("ada", store=store) as client:
        await client.open("trip")
        with pytest.raises(StoreBusy):
            await place.connect("ada", store=store).__aenter__()
    async with place.connect("bob", store=store) as client:
        with pytest.raises(ConfigurationError, match="belongs to ada"):
            await client.open("trip")
