"""The gate: nothing reaches the document library or the log that it has not let through.

An update is parsed whole, then integrated into the item index in dependency order across its sections. Each
struct is

* *known*: the index has it; it is dropped, and one that is known in part is trimmed;
* *next*: its clock and everything it refers to are there; it is judged by the rules and taken;
* *not yet*: something before it is missing, or it is of another user's client id; it is left out, nothing of
  it is stored, and `Verdict.gap` says that there was such a thing.

Deletes are cut down to what is known and not deleted yet; what remains must be the overwritten value of a
key, go with a container that goes, or be granted by the rules. The value that overwrites may still be to
come, where this is not the sender's whole state. An update is taken whole (but for what is known or not yet)
or not at all: `MalformedUpdate` and `Refused` leave the gate as it was.
"""

from __future__ import annotations

import gc
from typing import Final

from threadline.actors import Actor
from threadline.document.judgement import RuleBook
from threadline.errors import Refused
from threadline.protocol.varint import encode_uint
from threadline_server.backplane.base import ClockRange
from threadline_server.rooms.admission import Admission
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS, GateLimits
from threadline_server.rooms.hearing import Hearing, Reserved
from threadline_server.rooms.index_stats import index_stats
from threadline_server.rooms.index_store import IndexDamaged, dump_index, load_index
from threadline_server.rooms.item_index import ClientRuns, ItemIndex
from threadline_server.rooms.judge import Judge
from threadline_server.rooms.keystroke import follow_keystroke, take_keystroke
from threadline_server.rooms.list_order import ListOrder
from threadline_server.rooms.trust import Trust
from threadline_server.rooms.turns import FOR_EVER
from threadline_server.rooms.update_reader import MalformedUpdate, ParsedUpdate, Reading
from threadline_server.rooms.verdict import Verdict

__all__ = ["NO_OWNER", "Gate", "IndexDamaged", "MalformedUpdate", "Verdict"]

NO_OWNER = ""

_LARGE_BYTES: Final = 65_536
_READ_AT_ONCE: Final = 1_000


class Gate:
    """The gate of one document. `rules` are those of its kind. The index of a document in which nothing was
    written yet is made when something is: it takes 2.5 KB."""

    __slots__ = ("_adopted", "_judging", "_order", "_rules", "_user_ids", "_users", "limits")

    def __init__(self, rules: RuleBook, limits: GateLimits = DEFAULT_GATE_LIMITS) -> None:
        self._rules: RuleBook = rules
        self.limits: GateLimits = limits
        self._judging: bool = False
        self._adopted: list[ClientRuns] = []
        self._order: ListOrder | None = None
        self._users: list[str] = []
        self._user_ids: dict[str, int] = {}

    def admit(
        self, update: bytes, actor: Actor, *, whole: bool = False, reserved: Reserved | None = None
    ) -> Verdict:
        """Judge what `actor` sent; `whole` says it came as a sync step 2.

        Raises MalformedUpdate or Refused, and has then changed nothing.
        """
        verdict = self.admit_keystroke(update, actor)
        if verdict is None:
            hearing = Hearing(self, update, actor, whole=whole, reserved=reserved)
            hearing.advance(FOR_EVER)
            verdict = hearing.verdict
            assert verdict is not None
        return verdict

    def admit_keystroke(self, update: bytes, actor: Actor) -> Verdict | None:
        """The verdict of what is most often sent; None where a hearing has to tell."""
        order = self._order
        return None if order is None else take_keystroke(order.index, order, update, actor)

    def begin(
        self, parsed: ParsedUpdate, actor: Actor, *, whole: bool, reserved: Reserved | None
    ) -> Admission:
        """The admission of an update, one at a time; it ends by `keep` or `undo`. Raises Refused."""
        assert not self._judging
        order = self._made()
        index = order.index
        if reserved is not None:
            self._check_claims(parsed, actor.user, reserved)
        owner = self._user_number(actor.user)
        judge = Judge(index, self._rules, actor, owner)
        self._adopted = self._adopt(parsed, owner)
        self._judging = True
        index.begin()
        order.begin()
        return Admission(
            index, order, self._rules, self.limits, parsed, owner, judge, self._users, whole=whole
        )

    def keep(self) -> None:
        self._judging = False
        self._made().index.keep()

    def undo(self) -> None:
        self._judging = False
        order = self._made()
        order.index.undo()
        order.undo()
        self._disown(self._adopted)

    def _check_claims(self, parsed: ParsedUpdate, user: str, reserved: Reserved) -> None:
        """Nobody takes the client id of a device that others see here and that has not written yet."""
        for section in parsed.sections:
            if not section.structs or not self.is_new(section.client):
                continue
            holder = reserved(section.client)
            if holder is not None and holder != user:
                raise Refused(f"client/{section.client}", "this client id is another user's")

    def trust(self, update: bytes, user: str) -> tuple[ClockRange, ...]:
        """Take what the log has, written by `user`, without judging it. Gives back the clocks that were new.

        `NO_OWNER` stands for users that are not known any more; who extends such a client id first, owns it.
        Raises MalformedUpdate where it is no update, or something before it is missing: the gate is of no use
        then.
        """
        collecting = len(update) > _LARGE_BYTES and gc.isenabled()
        if collecting:
            gc.disable()  # a base makes no garbage, only hundreds of thousands of objects that go all at once
        try:
            trust = Trust(self, update, user)
            trust.advance(FOR_EVER)
        finally:
            if collecting:
                gc.enable()
        assert trust.verdict is not None
        return trust.verdict.ranges

    def follow(self, update: bytes, user: str) -> bool:
        """As `trust`, what another node has just put into the log.

        True where it was read as if it came from a device and would have been taken as it is, if the rules
        allowed it: so the document library has nothing to fear of it either. What is large is not worth that.
        """
        order = self._order
        owner = self._user_ids.get(user, -1)
        if order is not None and owner >= 0 and follow_keystroke(order.index, order, update, owner):
            return True
        reading = self._read_strictly(update) if len(update) <= _LARGE_BYTES else None
        if reading is None:
            self.trust(update, user)
            return False
        trust = Trust(self, update, user, reading)
        trust.advance(FOR_EVER)
        return trust.sound

    def _read_strictly(self, update: bytes) -> Reading | None:
        """None where it is what no device may send."""
        try:
            reading = Reading(update, self.limits, whole=True)
            while not reading.advance(_READ_AT_ONCE):
                pass
        except MalformedUpdate:
            return None
        return reading

    def begin_trusting(self, parsed: ParsedUpdate, user: str) -> Admission:
        """The admission of what the log has, one at a time."""
        assert not self._judging
        owner = self._user_number(user)
        self._adopt(parsed, owner)
        order = self._made()
        return Admission(
            order.index, order, self._rules, self.limits, parsed, owner, None, self._users, whole=True
        )

    def _adopt(self, parsed: ParsedUpdate, owner: int) -> list[ClientRuns]:
        """Bind client ids without an owner to the first user who extends them.

        There are none unless a base had to be trusted whose index was lost, and with it who wrote what.
        """
        nobody = self._user_ids.get(NO_OWNER, owner)
        adopted: list[ClientRuns] = []
        if nobody == owner:
            return adopted
        for section in parsed.sections:
            runs = self._runs_of(section.client)
            if runs is not None and runs.owner == nobody and section.structs:
                last = section.structs[-1]
                if last.clock + last.length > runs.next:
                    runs.owner = owner
                    adopted.append(runs)
        return adopted

    def _disown(self, adopted: list[ClientRuns]) -> None:
        for runs in adopted:
            runs.owner = self._user_ids[NO_OWNER]

    def dump(self) -> bytes:
        """All that the gate knows, to be stored with the base that has the same updates."""
        order = self._made()
        return dump_index(order.index, order, self._users)

    @classmethod
    def load(
        cls, data: bytes, rules: RuleBook, limits: GateLimits = DEFAULT_GATE_LIMITS, *, start: int = 0
    ) -> Gate:
        """The gate of which `dump` gave what is in `data` from `start` on. Raises IndexDamaged."""
        gate = cls(rules, limits)
        _, gate._order, gate._users = load_index(data, start)
        gate._user_ids = {user: number for number, user in enumerate(gate._users)}
        return gate

    def stats(self) -> dict[str, int]:
        """Counts of what the index has, and its size in bytes."""
        order = self._made()
        return index_stats(order.index, order)

    def owner(self, client: int) -> str | None:
        """The user whose devices extend `client`; None while nothing of it is known."""
        runs = self._runs_of(client)
        return None if runs is None else self._users[runs.owner]

    def next_clock(self, client: int) -> int:
        runs = self._runs_of(client)
        return 0 if runs is None else runs.next

    def is_new(self, client: int) -> bool:
        """Whether nothing is known of a client id."""
        return self._runs_of(client) is None

    def knows_clients_of(self, parsed: ParsedUpdate) -> bool:
        """Whether something is known of every client id that extends the document in an update."""
        return not any(self.is_new(section.client) for section in parsed.sections if section.structs)

    def may_have_key_with(self, part: bytes) -> bool:
        """Whether some key had `part` in it at some time; False is certain. To be asked of the same part."""
        return self._order is not None and self._order.index.keys.may_have(part)

    def clocks(self) -> dict[int, int]:
        """Client id -> the clock it writes next."""
        return {runs.client: runs.next for runs in self._clients()}

    def list_order(self, root: str) -> list[list[int]]:
        """[client id, clock, length] of what is in the list or text `root`, in its order, deleted or not."""
        order = self._made()
        type_id = order.index.root_ids.get(root)
        return [] if type_id is None else order.pieces(type_id)

    def state_vector(self) -> bytes:
        """As Yjs encodes it: for each client id the clock it writes next."""
        clients = self._clients()
        parts = [encode_uint(len(clients))]
        for runs in clients:
            parts.append(encode_uint(runs.client))
            parts.append(encode_uint(runs.next))
        return b"".join(parts)

    def _made(self) -> ListOrder:
        """The order of the lists, which has the index."""
        order = self._order
        if order is None:
            order = self._order = ListOrder(ItemIndex())
        return order

    def _runs_of(self, client: int) -> ClientRuns | None:
        return None if self._order is None else self._order.index.runs_of(client)

    def _clients(self) -> list[ClientRuns]:
        return [] if self._order is None else self._order.index.clients

    def _user_number(self, user: str) -> int:
        known = self._user_ids.get(user, -1)
        if known < 0:
            known = len(self._users)
            self._users.append(user)
            self._user_ids[user] = known
        return known
