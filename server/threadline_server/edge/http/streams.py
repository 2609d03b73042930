"""Events of a run as server-sent events. They are read off the document, so a stream may begin anywhere.

Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Literal, TypeAlias

from threadline.actors import Actor
from threadline.document.ag_ui import AgUiEncoder
from threadline.document.events import Event, is_finished
from threadline.document.intents import RunIntent
from threadline.document.session_document import SessionDocument
from threadline.protocol.close_codes import RESTARTING
from threadline_server.backplane.base import DocumentName
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.asking import NoRun
from threadline_server.rooms.onlooker import Onlooker, looking_on
from threadline_server.rooms.registry import Rooms

Form: TypeAlias = Literal["events", "ag-ui"]

HEARTBEAT_S = 15.0
ARRIVES_S = 2.0
"""A run that was asked for at another node is known here within that time."""
_HEARTBEAT = b": alive\n\n"


class Streams:
    """The event streams that are open on this node."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._open: dict[Onlooker, tuple[DocumentName, Principal]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def end_all(self) -> None:
        """The node stops: clients come back elsewhere with their last event's id."""
        for onlooker in tuple(self._open):
            onlooker.end(RESTARTING)

    def watched(self) -> list[tuple[Onlooker, Principal]]:
        """Every open stream, and who it is for."""
        return [(onlooker, principal) for onlooker, (_, principal) in self._open.items()]

    def of_session(self, session: str) -> list[tuple[Onlooker, Principal]]:
        return [(onlooker, who) for onlooker, (name, who) in self._open.items() if name == session]

    async def latest_run(self, document: DocumentName) -> str:
        """The run that a stream without a name follows. Raises NoRun."""
        session = SessionDocument((await self._rooms.open(document)).document())
        asked = [intent.id for intent in session.intents.by_time() if isinstance(intent, RunIntent)]
        if asked:
            return asked[-1]
        latest = session.runs.latest()
        if latest is not None:
            return latest.id
        raise NoRun("There is no run in this session yet; ask for one first.")

    async def known_run(self, document: DocumentName, actor: Actor, run: str) -> str:
        """`run`, once it is there or asked for, which may come from another node. Raises NoRun."""

        def is_there() -> bool:
            session = SessionDocument(onlooker.document())
            return onlooker.ended is not None or run in session.runs or run in session.intents.ids()

        with looking_on(await self._rooms.open(document), actor) as onlooker:
            try:
                async with asyncio.timeout(ARRIVES_S):
                    await onlooker.changes.until(is_there)
            except TimeoutError:
                raise NoRun("There is no such run in this session, and nobody has asked for it.") from None
        return run

    async def follow(
        self,
        document: DocumentName,
        actor: Actor,
        principal: Principal,
        run: str,
        after: str | None,
        *,
        form: Form = "events",
    ) -> AsyncIterator[bytes]:
        """Frames of the events after the one with the id `after`, until the run is done."""
        room = await self._rooms.open(document)
        with looking_on(room, actor) as onlooker:
            self._open[onlooker] = (document, principal)
            try:
                async for frame in self._frames(document, onlooker, run, after, form):
                    yield frame
            finally:
                del self._open[onlooker]

    async def _frames(
        self, name: DocumentName, onlooker: Onlooker, run: str, after: str | None, form: Form
    ) -> AsyncIterator[bytes]:
        while onlooker.ended is None:
            seen = onlooker.changes.count
            document = SessionDocument(onlooker.document())
            events = document.events(run, after)
            if events:
                after = events[-1].id
                if form == "ag-ui":
                    encoder = AgUiEncoder(document, name, run)
                    yield b"".join(ag_ui_frame_of(encoder, event) for event in events)
                else:
                    yield b"".join(map(frame_of, events))
                if is_finished(events):
                    return
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await onlooker.changes.until(lambda seen=seen: onlooker.changes.count > seen)  # type: ignore[misc]
            except TimeoutError:
                yield _HEARTBEAT


def ag_ui_frame_of(encoder: AgUiEncoder, event: Event) -> bytes:
    """What AG-UI makes of one event; the last of its frames carries the id to go on after."""
    frames = [f"data: {json.dumps(theirs, ensure_ascii=False)}\n\n" for theirs in encoder.encode(event)]
    if frames:
        frames[-1] = f"id: {event.id}\n{frames[-1]}"
    return "".join(frames).encode()


def frame_of(event: Event) -> bytes:
    data = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False)
    return f"id: {event.id}\nevent: {event.type}\ndata: {data}\n\n".encode()
