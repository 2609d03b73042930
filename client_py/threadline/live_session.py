"""A session joined to a server: the same surface as `Session`, live on every device.

It works offline: what is done goes into this device's replica at once and travels when there is a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

from threadline.actors import Actor, Role
from threadline.changed import Changed
from threadline.channel import Phase, Stopped
from threadline.device_copy import DeviceCopy
from threadline.document.companion import CompanionDocument
from threadline.document.intents import Intent, OnBusy, RunIntent, TitleIntent, write_intent
from threadline.document.messages import Message
from threadline.document.rules import SESSION_RULES
from threadline.document.session_document import SessionDocument
from threadline.document.values import to_json
from threadline.errors import ConfigurationError, ReplicaRejected, SessionClosed, ThreadlineError
from threadline.guard import RuleGuard
from threadline.http_api import Unreachable
from threadline.ids import COMPANION_OF_ME, new_entry_id
from threadline.live_scribe import LiveScribe
from threadline.presence import Presence
from threadline.protocol import close_codes
from threadline.protocol.notices import Hello, Notice
from threadline.recovery import Recovery, replay
from threadline.refusals import error_of
from threadline.run import Run
from threadline.saved import Saved
from threadline.session import Session
from threadline.sharing import DAY_S
from threadline.transcript import NewMessage

if TYPE_CHECKING:
    from threadline.client import Client
    from threadline.resources import Undone

MAX_RECOVERIES = 3
"""In a row, without anything acknowledged between them."""


SETTLE_TIMEOUT_S = 5.0


class Asked(TypedDict):
    """What every intent of this device begins with."""

    id: str
    device: str
    at: int


class LiveSession(Session):
    """Made by `Client.open`.

    changed:    notified whenever anything of the session is different
    problem:    why it does not go on by itself, None while it does
    recovered:  what became of replicas that were refused, newest last
    notices:    what the server has said, newest last
    """

    def __init__(self, client: Client, session_id: str) -> None:
        super().__init__(session_id=session_id)
        self._client = client
        self.changed = Changed()
        self.problem: Stopped | None = None
        self.recovered: list[Recovery] = []
        self.notices: list[Notice] = []
        self.device = client.device
        self._closed = False
        self._refusals = 0
        self._in_a_row = 0
        self._recovering = False
        self._misfit = ""
        self.opening: asyncio.Future[None] | None = None
        self._main = self._copy(session_id)
        self._mine = self._copy(session_id + COMPANION_OF_ME)
        self._guard = RuleGuard(SESSION_RULES, self._writer, lambda: self._main.replica.client_id)
        self._words = LiveScribe(self, client, self._guard)
        self._show()

    def _copy(self, name: str) -> DeviceCopy:
        return DeviceCopy(
            name, self._client.connections, self._client.store, self._client.device, self.changed, self
        )

    def _show(self) -> None:
        """Look at the replicas as they are now: after a reset they are others."""
        self._adopt(SessionDocument(self._main.replica.doc))
        self._companion = CompanionDocument(self._mine.replica.doc)

    # who and how

    @property
    def actor(self) -> Actor:
        """This device's user, in the role that the server told last (an editor's, until it has)."""
        return Actor(self._client.user, Role(self._main.role or Role.EDITOR), self.device)

    @property
    def role(self) -> Role:
        return self.actor.role

    @property
    def lineage(self) -> str:
        return self._main.lineage

    @property
    def durability(self) -> str:
        """What an acknowledgement means here: `fsync`, `process` or `none`; empty before the first hello."""
        hello = self._main.channel.hello
        return hello.durability if hello is not None else ""

    @property
    def status(self) -> str:
        """`live`, `offline`, `authenticating`, `joining` or `stopped`."""
        return str(self._main.channel.phase)

    @property
    def is_live(self) -> bool:
        return self._main.is_live

    @property
    def is_saved(self) -> bool:
        """Everything made on this device is durable on the server."""
        return self._main.channel.is_saved and self._mine.channel.is_saved

    @property
    def saved_word(self) -> Saved:
        """What a person needs to know of where their changes are."""
        if self.problem is not None:
            return Saved("failed", self.waiting)
        if self.is_saved:
            return Saved("saved", 0)
        offline = self._main.channel.phase is Phase.OFFLINE
        return Saved("offline" if offline else "saving", self.waiting)

    @property
    def waiting(self) -> int:
        """Changes made here that are not acknowledged yet."""
        return self._main.channel.waiting + self._mine.channel.waiting

    @property
    def presence(self) -> Presence:
        """Who is here now."""
        return self._main.presence

    # asking for work

    async def send(
        self,
        text: str,
        *,
        agent: str = "",
        goal: str = "",
        context: object = None,
        limits: Mapping[str, object] | None = None,
        on_busy: OnBusy | str = OnBusy.ENQUEUE,
        tools: list[str] | None = None,
        model: str | None = None,
        system: str = "",
        attachments: list[object] | None = None,
        data: object = None,
    ) -> Run:
        """Add a message and ask for a run that answers it; works offline too.

        Raises Refused, NotSerializable, ValueError for an `on_busy` that is none.
        """
        fields = {"attachments": attachments, "data": data}
        with self.document.transaction():
            message = self.add_message("user", text, **{k: v for k, v in fields.items() if v is not None})
            run = self.ask(
                lambda base: RunIntent(
                    **base,
                    message=message.id,
                    agent=agent,
                    goal=goal,
                    context=to_json(context, "/context"),
                    limits={name: to_json(value) for name, value in (limits or {}).items()},
                    on_busy=OnBusy(on_busy),
                    tools=tuple(tools) if tools is not None else None,
                    model=model,
                    system=system,
                )
            )
        if self.draft.text.strip() == text.strip():
            self.draft.clear()
        return self.run(run)

    async def attach(
        self,
        name: str,
        data: bytes,
        type: str = "",  # noqa: A002  (the name in a message)
    ) -> dict[str, Any]:
        """Keep a small file with this session, for `send(..., attachments=[...])`. Needs a connection."""
        return await self._client.sessions.attach(self.id, name, data, type)

    async def attachment(self, attachment_id: str) -> bytes:
        """The content of a file that a message names."""
        return await self._client.sessions.attachment(self.id, attachment_id)

    async def share(
        self, role: Literal["editor", "viewer"] = "editor", *, expires_in_s: int = DAY_S, uses: int | None = 1
    ) -> str:
        """An address that lets somebody in, to be sent to them. Owners only; needs a connection."""
        invitations = self._client.invitations
        made = await invitations.make(self.id, role, expires_in_s=expires_in_s, uses=uses)
        return invitations.url_of(made)

    def run(self, run_id: str) -> Run:
        """A handle on any run of this session."""
        return Run(self, run_id)

    async def undo_run(self, run_id: str) -> Undone:
        """As `Run.undo`."""
        return await self._client.sessions.undo(self.id, run_id)

    @property
    def active_run(self) -> Run | None:
        """The run that is at work or waits for somebody, if there is one."""
        active = self.document.runs.active()
        return Run(self, active) if active is not None else None

    def ask(self, make: Callable[[Asked], Intent]) -> str:
        """Write an intent and give back its id. Raises Refused, NotSerializable."""
        self.check_open()
        intent = make({"id": new_entry_id(self.user_id), "device": self.device, "at": self._now_ms()})
        self._guard.write(("intents", intent.id), write_intent(intent))
        self.document.intents.add(intent)
        return intent.id

    @property
    def title(self) -> str:
        return self.document.meta.title

    @title.setter
    def title(self, title: str) -> None:
        """An owner writes it; others ask for it."""
        if self.role is Role.OWNER:
            self._guard.write(("meta", "title"), title)
            self.document.meta.title = title
        else:
            self.ask(lambda base: TitleIntent(**base, title=title))

    # joining

    async def begin(self, timeout_s: float) -> None:
        """For the client: join, and return when the session can be used. Raises why it cannot."""
        await self._main.load()
        await self._mine.load()
        self.user_id = self._client.user
        for copy in (self._main, self._mine):
            copy.join()
        try:
            async with asyncio.timeout(timeout_s):
                await self.changed.until(lambda: self._is_ready or self._is_over)
        except TimeoutError:
            if not self.user_id:
                raise Unreachable(self._why_not()) from None
        if self.problem is not None:
            await self._refused(self.problem)

    @property
    def _is_ready(self) -> bool:
        if self._main.is_live and self._mine.is_live:
            return True
        return bool(self.user_id) and (self._main.is_cut_off or self._mine.is_cut_off)

    async def _refused(self, problem: Stopped) -> None:
        """A copy of another session is kept for the user, so that the next `open` joins the one there is."""
        if problem.close is close_codes.LINEAGE_MISMATCH:
            for copy in (self._main, self._mine):
                self._client.set_aside.append(await copy.set_aside(problem))
        raise self._error()

    def _why_not(self) -> str:
        problem = self._client.connections.problem or "it does not answer"
        return f"The server cannot be reached ({problem}), and there is no copy of {self.id} here."

    def inherit(self, parent: LiveSession) -> None:
        """For the client: read the parent's keys where this session has none."""
        self._parent = parent

    # waiting

    async def until(self, holds: Callable[[], bool]) -> None:
        """Until `holds()`, asked at every change. Raises the session's error where it ends before."""
        await self.changed.until(lambda: holds() or self._is_over)
        if not holds():
            raise self._error()

    async def joined(self, timeout_s: float | None = None) -> None:
        """Until what the server has is here. Raises TimeoutError, or why it cannot be."""
        async with asyncio.timeout(timeout_s):
            await self.until(lambda: self._main.is_live and self._mine.is_live)

    async def saved(self, timeout_s: float | None = None) -> None:
        """Until everything made on this device before this call is durable; offline, that is when it is back.

        Raises TimeoutError, ReplicaRejected where the server refused part of it, and what went wrong with a
        transcript that was assigned.
        """
        async with asyncio.timeout(timeout_s):
            await self._words.assigned()
            await self.written()
        self._modified = False

    async def written(self) -> None:
        """As `saved`, but for what was put into this device's replicas alone."""
        main, mine, refusals = self._main.channel, self._mine.channel, self._refusals
        versions = main.version, mine.version

        def is_so() -> bool:
            return main.saved_version >= versions[0] and mine.saved_version >= versions[1]

        await self.until(lambda: not self._recovering and (self._refusals > refusals or is_so()))
        if self._refusals > refusals:
            raise ReplicaRejected(self.id, self.recovered[-1].reason)

    def save(self) -> Awaitable[None]:
        """As `saved`."""
        return self.saved()

    # ending

    async def close(self, *, delete: bool = False) -> None:
        """Leave the session; runs go on. With `delete` it is deleted for everybody. Idempotent."""
        if self._closed:
            return
        if delete:
            await self._client.sessions.delete(self.id)
        self.leave()
        if delete:
            await self._main.forget()
            await self._mine.forget()

    def leave(self) -> None:
        """As `close`, at once."""
        self._closed = True
        self._main.leave()
        self._mine.leave()
        self._client.left(self)
        self.changed.notify()

    async def reset_replica(self) -> Recovery:
        """Set this device's copy aside and join with an empty one; what can be, is written again.

        For a session that stopped with `replica_rejected` or `lineage_mismatch`. In another lineage nothing
        is replayed: the copy is of another session. Raises what `joined` raises.
        """
        stopped = self.problem or Stopped(close_codes.REPLICA_REJECTED, "reset on this device")
        return await self._start_over(self._main, stopped)

    # through time

    async def at(self, position: int) -> Session:
        """The session as it was after so many changes of its log, to be read; -1 is as the log has it now.

        Raises SessionError for a position that the log has not, Unreachable.
        """
        return (await self._client.sessions.replay(self.id)).at(position)

    # branches and children

    def branch(self, at: Message | str | None = None) -> LiveSession:
        """A session of one's own on the server that goes on from here, with the messages up to `at` or all;
        await it before it is used.
        """
        return self._client.begin_branch(self, at.id if isinstance(at, Message) else at)

    def child(self, session_id: str | None = None) -> LiveSession:
        """A session of its own below this one, created on the server; await it before it is used."""
        return self._client.begin_child(self, session_id)

    def __await__(self) -> Generator[Any, None, Self]:
        if self.opening is not None:
            yield from asyncio.shield(self.opening).__await__()
        return self

    # what the copies tell

    def copy_greeted(self, copy: DeviceCopy, hello: Hello) -> None:
        if wrong := self._client.greeted(hello):
            self._misfit = wrong
            copy.channel.stop(Stopped(None, wrong))
            return
        self.user_id = self._client.user

    def copy_noted(self, copy: DeviceCopy, notice: Notice) -> None:
        self.notices = [*self.notices[-99:], notice]

    def copy_stopped(self, copy: DeviceCopy, stopped: Stopped) -> None:
        rejected = stopped.close is close_codes.REPLICA_REJECTED
        if rejected and self._in_a_row < MAX_RECOVERIES and not self._closed:
            self._refusals += 1
            self._in_a_row += 1
            self._recovering = True
            self._client.spawn(self._recover(copy, stopped))
        else:
            self.problem = stopped

    async def _recover(self, copy: DeviceCopy, stopped: Stopped) -> None:
        try:
            await self._start_over(copy, stopped)
            await self.saved()
            self._in_a_row = 0
        except ThreadlineError:
            return  # it stopped for another reason, or again: that is told in its own right
        finally:
            self._recovering = False
            self.changed.notify()

    async def _start_over(self, copy: DeviceCopy, stopped: Stopped) -> Recovery:
        old, draft = self.document, self.draft.text
        same = stopped.close is not close_codes.LINEAGE_MISMATCH
        copies = [copy]
        if not same:
            copies = [self._main, self._mine]
            await self._all_stopped(copies)
        self.problem = None
        asides = [await each.set_aside(stopped) for each in copies]
        self._client.set_aside += asides
        for each in copies:
            each.start_over(same_session=same)
        self._show()
        await self.until(lambda: all(each.is_live for each in copies))
        recovery = Recovery(stopped.sentence, asides[0])
        if same and copy is self._main:
            with self.document.transaction():
                replay(old, self.document, self.user_id, self._guard, recovery)
        elif same and draft and not self.draft.text:
            self.draft.text = draft
        self.recovered.append(recovery)
        self._recovering = False
        self.changed.notify()
        return recovery

    async def _all_stopped(self, copies: list[DeviceCopy]) -> None:
        """What one copy was told, the other is about to be; a late answer must not hit its next attempt."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await self.changed.until(lambda: all(not copy.is_joined for copy in copies))

    # inside

    @property
    def _is_over(self) -> bool:
        return self._closed or self.problem is not None

    def _error(self) -> Exception:
        if self._misfit:
            return ConfigurationError(self._misfit)
        if self.problem is not None:
            return error_of(self.problem, self.id)
        return SessionClosed("The session was closed on this device.", session_id=self.id)

    def _writer(self) -> Actor:
        """Who writes; nobody does into a session that was closed."""
        self.check_open()
        return self.actor

    def check_open(self) -> None:
        """Raises why the session was left, once it was."""
        if self._closed:
            raise self._error()

    def _write_message(self, role: str, content: str, fields: Mapping[str, Any]) -> Message:
        self.check_open()
        return self._words.write(role, content, fields)

    def _assign(self, wanted: list[Message | NewMessage]) -> None:
        self._words.assign(wanted)
