"""Somebody who may only read since they were away: their work is set aside, and they read on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.client.conftest import PATIENCE_S, Place, until

from threadline.actors import Role
from threadline.errors import Refused


@pytest.mark.asyncio
async def test_a_member_made_a_viewer_while_away_goes_on_reading_with_its_work_set_aside(
    place: Place, tmp_path: Path
) -> None:
    store = tmp_path / "bob.sqlite"
    await place.start()
    async with place.connect("ada") as ada, place.connect("bob", store=store) as bob:
        trip = await ada.open("trip")
        await trip.saved(PATIENCE_S)
        session = await bob.open("trip")
        session["city"] = "Berlin"
        await session.send("from before")
        await session.saved(PATIENCE_S)
    await place.stop()
    async with place.connect("bob", store=store) as bob:
        session = await bob.open("trip")
        session["city"] = "Paris"
        run = await session.send("written while away")
        session.draft.text = "a draft"
    await place.start()
    async with place.connect("ada") as ada, place.connect("bob", store=store) as bob:
        trip = await ada.open("trip")
        await ada.members.grant("trip", "bob", "viewer")
        session = await bob.open("trip")
        await until(session, lambda: bool(session.recovered) and session.is_live and session.is_saved)
        (recovery,) = session.recovered
        assert "may read" in recovery.reason
        assert recovery.replayed == []
        assert run.id in recovery.refused
        assert recovery.kept == {"city": "Paris"}
        assert [aside.document for aside in bob.set_aside] == ["trip"]
        said = [message.text for message in bob.import_set_aside("trip").messages]
        assert said == ["from before", "written while away"]

        assert session.role is Role.VIEWER
        assert [message.text for message in session.messages] == ["from before"]
        assert session["city"] == "Berlin"
        with pytest.raises(Refused):
            session["city"] = "Rome"
        trip["city"] = "Lisbon"
        await until(session, lambda: session["city"] == "Lisbon")
        await until(session, lambda: session.draft.text == "a draft")
        assert "written while away" not in [message.text for message in trip.messages]


@pytest.mark.asyncio
async def test_a_role_that_changes_is_known_at_once(place: Place) -> None:
    await place.start()
    async with place.connect("ada") as ada, place.connect("bob") as bob:
        trip = await ada.open("trip")
        await trip.saved(PATIENCE_S)
        session = await bob.open("trip")
        for role in (Role.VIEWER, Role.EDITOR, Role.OWNER):
            await ada.members.grant("trip", "bob", role.value)  # type: ignore[arg-type]
            await until(session, lambda role=role: session.role is role)  # type: ignore[misc]
        assert session.recovered == []
