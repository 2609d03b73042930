"""The appends of a node: one script each, all of them on one connection per primary, many on their way at
once.

Of a document one turn is on its way at a time, so a retry after a broken connection cannot pass a later turn;
the script knows the node's last turn by its digest and answers a retry with the position it got before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final

from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    DocumentName,
    LoggedTurn,
    Position,
    StaleFence,
    StaleRange,
    Turn,
    WrongLineage,
)
from threadline_server.backplane.redis.activity import Activity
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.keys import DocumentKeys, document_keys
from threadline_server.backplane.redis.link import RedisRefused, Reply
from threadline_server.backplane.redis.links import Links, is_away
from threadline_server.backplane.redis.scripts import Argument, Script, pack_script
from threadline_server.backplane.turn_bytes import encode_turn

RETRY_S: Final = 0.25
_DIGEST_BYTES: Final = 9


@dataclass(slots=True)
class Counts:
    """Since the start."""

    taken: int = 0
    durable: int = 0
    refused: int = 0
    sent_again: int = 0
    bytes: int = 0


class Sending:
    """position: where the log has it; 0 before the reply
    retaken:  set when it was taken once more, after Redis had forgotten it
    """

    __slots__ = ("append", "command", "keys", "position", "retaken", "size")

    def __init__(self, append: Append, keys: DocumentKeys, command: bytes, size: int) -> None:
        self.append = append
        self.keys = keys
        self.command = command
        self.size = size
        self.position: int = 0
        self.retaken: asyncio.Event | None = None


def merged_ranges(turn: Turn) -> list[int] | None:
    """client, start, end, ... with one range for each client; None when the turn itself has a gap."""
    spans: dict[int, tuple[int, int]] = {}
    for entry in turn.entries:
        for span in entry.ranges:
            start, end = spans.get(span.client, (span.start, span.start))
            if span.start != end:
                return None
            spans[span.client] = (start, span.end)
    return [number for client, (start, end) in spans.items() for number in (client, start, end)]


class Writer:
    """`on_taken` is told of each turn after its append was; then it is given to `confirm`.

    on_cold:  brings a document back from the cold tier; the turn is sent again a little later
    activity: the sessions of which Redis was told lately that they are in use: it need not be told again
    """

    def __init__(
        self,
        links: Links,
        *,
        on_taken: Callable[[DocumentName, LoggedTurn], None],
        on_settled: Callable[[DocumentName], None],
        confirm: Callable[[Sending], None],
        on_lost: Callable[[DocumentName], None],
        on_cold: Callable[[DocumentName], None],
        activity: Activity,
    ) -> None:
        self.counts = Counts()
        self._links = links
        self._on_taken = on_taken
        self._on_settled = on_settled
        self._confirm = confirm
        self._on_lost = on_lost
        self._on_cold = on_cold
        self._activity = activity
        self._loop = asyncio.get_running_loop()
        self._sending: dict[DocumentName, Sending] = {}
        self._behind: dict[DocumentName, deque[Append]] = {}
        self._parked: list[Sending] = []
        self._held: dict[Address, list[Sending]] = {}
        self._retry: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> int:
        """Turns that are not taken yet."""
        return len(self._sending) + sum(map(len, self._behind.values()))

    @property
    def stuck(self) -> bool:
        """Whether Redis could not take some of them when it was asked last."""
        return bool(self._parked)

    def is_sending(self, document: DocumentName) -> bool:
        return document in self._sending

    def append(self, appends: Sequence[Append]) -> None:
        self._links.gather()
        try:
            for append in appends:
                if append.document in self._sending:
                    self._behind.setdefault(append.document, deque()).append(append)
                else:
                    self._begin(append)
        finally:
            self._links.flush()

    def _begin(self, append: Append) -> None:
        ranges = merged_ranges(append.turn)
        try:
            keys = document_keys(append.document)
        except ValueError as error:
            self._refuse(append, WrongLineage(str(error)))
            return
        if ranges is None:
            self._refuse(append, StaleRange(f"{append.document}: a turn does not continue itself."))
            return
        data = encode_turn(append.stored, append.document)
        at_ms = "" if keys.of.id in self._activity else _at_ms(append.turn)
        sending = Sending(append, keys, _command(append, keys, data, ranges, at_ms), len(data))
        self._sending[append.document] = sending
        self._send(sending)

    def _send(self, sending: Sending) -> None:
        if self._held and sending.retaken is None:
            owner = self._links.topology.owner(sending.keys.of.slot)
            if owner is not None and owner in self._held:
                self._held[owner].append(sending)
                return
        self._links.submit(sending.keys.of.slot, sending.command, partial(self._replied, sending))

    def _replied(self, sending: Sending, reply: Reply) -> None:
        if isinstance(reply, int):
            self._taken(sending, Position(reply))
        elif isinstance(reply, list) and reply[0] == b"cold":
            self._on_cold(sending.append.document)
            self._park(sending)
        elif isinstance(reply, list):
            self._settle(sending)
            self._refused(sending, _refusal(sending.append, reply))
        elif is_away(reply) or isinstance(reply, RedisRefused):
            self._park(sending)
        else:
            raise AssertionError(f"the append script gives no {type(reply)}")

    # taken

    def _taken(self, sending: Sending, position: Position) -> None:
        append = sending.append
        if sending.retaken is not None:
            self._retaken(sending, sending.retaken, position)
            return
        sending.position = position
        self.counts.taken += 1
        self.counts.bytes += sending.size
        self._settle(sending)
        if append.turn.entries:
            self._activity.note(sending.keys.of.id, append.turn.entries[-1].at_ms)
        self._tell(append.on_taken, append, position)
        self._on_taken(append.document, LoggedTurn(position, append.stored))
        self._confirm(sending)
        self._next(append.document)

    def _settle(self, sending: Sending) -> None:
        if self._sending.get(sending.append.document) is sending:
            del self._sending[sending.append.document]

    def _next(self, document: DocumentName) -> None:
        self._on_settled(document)
        behind = self._behind.get(document)
        while behind and document not in self._sending:
            self._begin(behind.popleft())
        if not behind:
            self._behind.pop(document, None)

    def durable(self, sendings: Sequence[Sending]) -> None:
        """These are durable now."""
        for sending in sendings:
            self.counts.durable += 1
            self._tell(sending.append.on_durable, sending.append)

    # refused

    def _refused(self, sending: Sending, refusal: AppendRefused) -> None:
        document = sending.append.document
        if sending.retaken is not None:
            self._on_lost(document)
            sending.retaken.set()
        else:
            self._refuse(sending.append, refusal)
        self._next(document)

    def _refuse(self, append: Append, refusal: AppendRefused) -> None:
        self.counts.refused += 1
        self._tell(append.on_refused, append, refusal)

    # Redis away

    def _park(self, sending: Sending) -> None:
        self._parked.append(sending)
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self.send_again)

    def send_again(self) -> None:
        """Try again what Redis could not take, or of which the reply was lost."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        parked, self._parked = self._parked, []
        for sending in parked:
            self.counts.sent_again += 1
            self._send(sending)

    def hold(self, address: Address) -> None:
        """Send nothing new to this primary: what it forgot in a crash comes first, for newer turns may lean
        on that.
        """
        self._held.setdefault(address, [])

    def release(self, address: Address) -> None:
        for sending in self._held.pop(address, []):
            self._send(sending)

    def drop_held(self, document: DocumentName) -> None:
        """Refuse what leans on turns that are gone."""
        for held in self._held.values():
            for sending in [each for each in held if each.append.document == document]:
                held.remove(sending)
                self._settle(sending)
                why = f"{document} is not what it was before Redis was restarted."
                self._refuse(sending.append, StaleRange(why))
                self._next(document)

    async def retake(self, sending: Sending) -> None:
        """Send a turn once more that Redis had taken and forgot in a crash; back when it has an answer.

        Newer turns of its document are held meanwhile.
        """
        sending.retaken = asyncio.Event()
        self._sending.setdefault(sending.append.document, sending)
        self.counts.sent_again += 1
        self._send(sending)
        await sending.retaken.wait()

    def _retaken(self, sending: Sending, answered: asyncio.Event, position: Position) -> None:
        self._settle(sending)
        if position != sending.position:  # another turn took its place
            sending.position = position
            self._on_lost(sending.append.document)
        self._confirm(sending)
        answered.set()
        self._next(sending.append.document)

    def stop(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        """Call back; what a callback raises is its owner's fault and stops nobody else's turn."""
        try:
            callback(*args)
        except Exception as error:  # noqa: BLE001
            self._loop.call_exception_handler({"message": "A backplane callback failed", "exception": error})


def _at_ms(turn: Turn) -> int | str:
    return turn.entries[-1].at_ms if turn.entries else ""


def _command(append: Append, keys: DocumentKeys, data: bytes, ranges: list[int], at_ms: int | str) -> bytes:
    session = keys.of
    arguments: list[Argument] = [
        session.channel,
        append.document,
        append.lineage,
        append.fence.token if append.fence is not None else "",
        f"w:{append.turn.node}",
        blake2b(data, digest_size=_DIGEST_BYTES).hexdigest(),
        at_ms,
        data,
        *ranges,
    ]
    all_keys = (session.session, keys.head, keys.log, session.documents)
    return pack_script(Script.APPEND, all_keys, *arguments)


def _refusal(append: Append, reply: list[bytes]) -> AppendRefused:
    why = reply[0]
    if why == b"stale":
        client, known, start = (part.decode() for part in reply[1:])
        return StaleRange(f"{append.document}: client {client} continues at {known}, not {start}.")
    if why == b"fence":
        return StaleFence(f"The lease of {append.document} was given to another.")
    return WrongLineage(f"{append.document} is not the one this was written for.")
