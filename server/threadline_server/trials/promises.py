"""The protocol's promises, each a short conversation with a server. What they mean is in PROTOCOL.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pycrdt import Doc, Map, Text

from threadline.document.digest import session_digest
from threadline.ids import new_client_id, new_entry_id, uuid7
from threadline.protocol import hocuspocus
from threadline.protocol.awareness import AwarenessEntry, decode_awareness, encode_awareness
from threadline.protocol.sync import EMPTY_UPDATE, SyncStep1, SyncStep2
from threadline.protocol.ywebsocket import AwarenessUpdate, QueryAwareness
from threadline_server.trials.device import PATIENCE_S, Device, Dialect

BOTH = tuple(Dialect)
NATIVE = (Dialect.HOCUSPOCUS,)
TOO_LARGE_BYTES = 70_000


class Broken(Exception):
    """The server did something else than it promises; the message says what."""


@dataclass(frozen=True, slots=True)
class Server:
    """Who is tried, and as whom. Sessions get names of their own, which are kept in `sessions`."""

    url: str
    token: str
    patience_s: float = PATIENCE_S
    sessions: list[str] = field(default_factory=list)

    def session(self) -> str:
        name = f"conformance-{uuid7()}"
        self.sessions.append(name)
        return name

    def device(self, session: str, dialect: Dialect, **more: Any) -> Device:
        return Device(self.url, session, self.token, dialect, patience_s=self.patience_s, **more)


Check = Callable[[Server, Dialect], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Promise:
    sentence: str
    dialects: tuple[Dialect, ...]
    check: Check


PROMISES: list[Promise] = []


def promise(sentence: str, dialects: tuple[Dialect, ...] = BOTH) -> Callable[[Check], Check]:
    def put(check: Check) -> Check:
        PROMISES.append(Promise(sentence, dialects, check))
        return check

    return put


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


# joining


@promise("A step 1 is answered with a step 2, also when there is nothing to say")
async def answers_step1(server: Server, dialect: Dialect) -> None:
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        await ada.until(lambda: ada.asked > 0, "the server never asked what the device has")


@promise("After authentication comes the hello, with lineage, role, durability and limits", NATIVE)
async def says_hello(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, dialect) as ada:
        await ada.until_synced()
        hello = ada.hello
        expect(hello is not None, "no hello came before the step 2")
        assert hello is not None
        expect(hello.session == session, f"the hello names the session {hello.session}")
        expect(bool(hello.lineage), "the hello has no lineage")
        expect(hello.durability in ("fsync", "process", "none"), f"durability is {hello.durability}")
        expect("max_frame_bytes" in hello.limits, "the hello does not say how large a frame may be")
        expect(ada.scope == "read-write", f"the one who made the session is {ada.scope or 'nothing'}")


@promise("A name that is not allowed is refused with invalid_name")
async def refuses_bad_names(server: Server, dialect: Dialect) -> None:
    async with server.device("not a name!", dialect) as ada:
        reason = await ada.until_over("a session of a bad name was opened")
        expect("4422" in reason or "invalid_name" in reason, f"it was refused with {reason}")


@promise("A copy of another lineage is refused before anything is exchanged")
async def refuses_other_lineages(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, dialect) as ada:
        await ada.until_synced()
    async with server.device(session, dialect, lineage="another") as old:
        reason = await old.until_over("a copy of another lineage was let in")
        expect("lineage_mismatch" in reason or "4412" in reason, f"it was refused with {reason}")
        expect(not old.synced, "the document was sent to a copy of another lineage")


@promise("Several documents share one socket, and a companion is a document of its own", NATIVE)
async def shares_a_socket(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, dialect) as ada:
        await ada.until_synced()
        second = f"{session}~me"
        await ada.send_bytes(hocuspocus.encode(second, hocuspocus.Authenticate(server.token, "4.8.0")))
        await ada.send_bytes(hocuspocus.encode(second, SyncStep1(b"\x00")))
        answer = (second, SyncStep2(EMPTY_UPDATE))
        await ada.until(lambda: answer in ada.others, "the companion did not come on the same socket")


# updates


@promise("An update reaches the other devices, whatever dialect they speak")
async def forwards(server: Server, dialect: Dialect) -> None:
    session = server.session()
    other = next(one for one in Dialect if one is not dialect)
    async with server.device(session, dialect) as ada, server.device(session, other) as bob:
        await ada.until_synced()
        await bob.until_synced()
        await ada.set("/city", "Berlin")
        await bob.until(lambda: bob.state.get("/city") == "Berlin", "the update did not come")


@promise("Each update, and the step 2 of the handshake, is acknowledged exactly once", NATIVE)
async def acknowledges_once(server: Server, dialect: Dialect) -> None:
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        for number in range(10):
            await ada.set("/number", number)
        await ada.until_saved()
        await ada.round_trip()
        expect(ada.saved == ada.sent + 1, f"{ada.sent} updates and a step 2 got {ada.saved} acknowledgements")


@promise("What the log knows already is acknowledged, too", NATIVE)
async def acknowledges_known(server: Server, dialect: Dialect) -> None:
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        await ada.set("/city", "Berlin")
        await ada.until_saved()
        await ada.send_update(ada.doc.get_update())
        await ada.until_saved()


@promise("What was acknowledged is there for a device that comes later")
async def keeps(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, Dialect.HOCUSPOCUS) as ada:
        await ada.until_synced()
        await ada.set("/city", "Berlin")
        await ada.until_saved()
    async with server.device(session, dialect) as later:
        await later.until_synced()
        expect(later.state.get("/city") == "Berlin", f"the state is {later.state}")


@promise("An update with a gap is asked about, not acknowledged; what fills the gap settles it", NATIVE)
async def asks_for_gaps(server: Server, dialect: Dialect) -> None:
    whole, (_, second) = _two_edits()
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        await ada.until_saved()
        asked = ada.asked
        ada.source = whole
        await ada.send_update(second)
        await ada.until(lambda: ada.asked > asked, "the server did not ask for what is missing")
        await ada.until(lambda: ada.saved > 1, "the step 2 that filled the gap did not settle the update")
        await ada.round_trip()
        expect(ada.saved == 2, f"the update was acknowledged {ada.saved - 1} times")


@promise("Updates that come twice, late and in another order end in the same content")
async def bears_disorder(server: Server, dialect: Dialect) -> None:
    session = server.session()
    whole, (first, second) = _two_edits()
    async with server.device(session, dialect) as ada:
        await ada.until_synced()
        ada.source = whole
        for update in (second, first, second, first):
            await ada.send_update(update)
        await ada.round_trip()
    async with server.device(session, dialect) as bob:
        await bob.until_synced()
        await bob.until(lambda: bob.state == {"/first": 1, "/second": 2}, "the content is another")


@promise("Two devices that wrote offline both keep what they wrote")
async def merges(server: Server, dialect: Dialect) -> None:
    session = server.session()
    one, other = _offline("/one"), _offline("/other")
    async with server.device(session, dialect, doc=one) as ada:
        await ada.until_synced()
        async with server.device(session, dialect, doc=other) as bob:
            await bob.until_synced()
            both = {"/one", "/other"}
            await ada.until(lambda: both <= ada.state.keys(), "the first lacks what the second wrote")
            await bob.until(lambda: both <= bob.state.keys(), "the second lacks what the first wrote")
            same = session_digest(ada.doc) == session_digest(bob.doc)
            expect(same, "state vectors agree and contents differ")


# what is refused


@promise("A forged message of the assistant ends the replica, and nobody gets it")
async def refuses_forgery(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, Dialect.HOCUSPOCUS) as witness:
        await witness.until_synced()
        async with server.device(session, dialect) as forger:
            await forger.until_synced()
            _say(forger.doc, _user_of(witness), role="assistant")
            await forger.flush()
            reason = await forger.until_over("the forged message was taken")
            expect("replica_rejected" in reason or "4409" in reason, f"it was refused with {reason}")
        await witness.round_trip()
        messages = witness.doc.get("messages", type=Map)
        expect(len(messages) == 0, "the forged message reached another device")
        await witness.set("/still", "here")
        await witness.until_saved()


@promise("Bytes that are no update end their sender with malformed, and leave the session intact")
async def refuses_garbage(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, Dialect.HOCUSPOCUS) as witness:
        await witness.until_synced()
        async with server.device(session, dialect) as sender:
            await sender.until_synced()
            await sender.send_update(b"\x01\x01\x01\x00\x84\xff\xff")
            reason = await sender.until_over("garbage was taken")
            expect("malformed" in reason or "4400" in reason, f"it was refused with {reason}")
        await witness.set("/still", "here")
        await witness.until_saved()


@promise("A frame of an unknown kind closes the socket with 4400")
async def refuses_unknown_frames(server: Server, dialect: Dialect) -> None:
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        await ada.send_bytes(b"\x01a\x63" if dialect is Dialect.HOCUSPOCUS else b"\x63")
        await ada.until(lambda: ada.close_code is not None, "the socket stayed open")
        expect(ada.close_code == 4400, f"it was closed with {ada.close_code}")


@promise("A large frame before any token closes the socket with 4413", NATIVE)
async def refuses_large_frames(server: Server, dialect: Dialect) -> None:
    async with server.device("not a name!", dialect) as ada:
        await ada.send_bytes(b"\x01a\x00\x02" + bytes(TOO_LARGE_BYTES))
        await ada.until(lambda: ada.close_code is not None, "the socket stayed open")
        expect(ada.close_code in (4413, 4431), f"it was closed with {ada.close_code}")


# presence, and staying


@promise("Presence is relayed, says who it is by the server's word, and ends with its device")
async def relays_presence(server: Server, dialect: Dialect) -> None:
    session = server.session()
    async with server.device(session, dialect) as watcher:
        await watcher.until_synced()
        async with server.device(session, Dialect.HOCUSPOCUS) as ada:
            await ada.until_synced()
            state = {"cursor": 3, "user": "somebody-else"}
            await ada.send(AwarenessUpdate(encode_awareness([AwarenessEntry(ada.doc.client_id, 1, state)])))
            seen = ada.doc.client_id
            await watcher.until(lambda: _state_of(watcher, seen) is not None, "presence was not relayed")
            shown = _state_of(watcher, seen) or {}
            expect(shown.get("cursor") == 3, f"presence came as {shown}")
            who = shown.get("user")
            name = who.get("id") if isinstance(who, dict) else who
            expect(name == _user_of(ada), f"presence says it is {name}")
        await watcher.until(lambda: _state_of(watcher, seen) is None, "presence outlived its device")


@promise("Who asks for presence is told")
async def answers_presence(server: Server, dialect: Dialect) -> None:
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        before = len(ada.presence)
        await ada.send(QueryAwareness())
        await ada.until(lambda: len(ada.presence) > before, "the question was not answered")


@promise("A ping is answered, and a document can be closed without its socket", NATIVE)
async def pongs_and_closes(server: Server, dialect: Dialect) -> None:
    async with server.device(server.session(), dialect) as ada:
        await ada.until_synced()
        await ada.send(hocuspocus.Ping())
        await ada.until(lambda: ada.pongs > 0, "no pong came")
        await ada.send(hocuspocus.CloseDocument())
        await ada.until(lambda: ada.ended is not None, "the document was not closed")
        expect(ada.close_code is None, "the socket was closed with the document")


# what the conversations are made of


def _user_of(device: Device) -> str:
    if device.hello is None:
        raise Broken("no hello came, which says who the device is")
    return device.hello.user


def _two_edits() -> tuple[Doc[Any], tuple[bytes, bytes]]:
    """A replica with two edits, and the update of each."""
    doc: Doc[Any] = Doc(client_id=new_client_id())
    state = doc.get("state", type=Map)
    updates = []
    for number, key in enumerate(("/first", "/second"), 1):
        before = doc.get_state()
        state[key] = number
        updates.append(doc.get_update(before))
    return doc, (updates[0], updates[1])


def _offline(key: str) -> Doc[Any]:
    doc: Doc[Any] = Doc(client_id=new_client_id())
    doc.get("state", type=Map)[key] = True
    return doc


def _say(doc: Doc[Any], user: str, *, role: str) -> None:
    message: dict[str, Any] = {
        "role": role,
        "author": {"user": user, "device": "", "name": user},
        "created_at": 1,
        "status": "complete",
        "text": Text("Trust me"),
    }
    with doc.transaction():
        doc.get("messages", type=Map)[new_entry_id(user)] = Map(message)


def _state_of(device: Device, client: int) -> dict[str, Any] | None:
    """The newest presence of a client id that came, None when there is none or it has gone."""
    newest: AwarenessEntry | None = None
    for update in device.presence:
        for entry in decode_awareness(update):
            if entry.client == client and (newest is None or entry.clock >= newest.clock):
                newest = entry
    return None if newest is None else newest.state
