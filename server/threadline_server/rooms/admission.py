"""One update on its way into the item index.

Sections are integrated as far as they go, each struct as soon as all it refers to is there: its predecessor
in the clock, its origin and right origin, its parent. A section that waits for another is taken up again when
that one has come far enough.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from threadline.document.judgement import ContentKind, RuleBook
from threadline_server.backplane.base import ClockRange
from threadline_server.rooms.delete_set import AT_ONCE
from threadline_server.rooms.deletion import Deletion
from threadline_server.rooms.gate_limits import GateLimits
from threadline_server.rooms.item_index import (
    GONE,
    KIND_MASK,
    NO_KEY,
    NO_TYPE,
    SAW_KEYS,
    SAW_TEXT,
    SAW_VALUES,
    SAW_XML,
    TYPE_KIND_MASK,
    UNKNOWN_TYPE,
    ClientRuns,
    ItemIndex,
)
from threadline_server.rooms.judge import Judge
from threadline_server.rooms.list_order import MOVED, NOBODY, TOO_FAR, ListOrder
from threadline_server.rooms.update_reader import (
    ANY,
    ARRAY,
    BINARY,
    DELETED,
    EMBED,
    FORMAT,
    GC,
    MAP,
    MAX_SAFE_INTEGER,
    SKIP,
    STRING,
    TEXT,
    TYPE,
    XML_ELEMENT,
    XML_FRAGMENT,
    XML_TEXT,
    ParsedUpdate,
    Section,
    Struct,
    malformed,
)
from threadline_server.rooms.update_writer import (
    MANY_PIECES,
    NO_DELETES,
    Accepted,
    Parts,
    cut_string,
    write_at_key,
    write_collected,
    write_struct,
    write_update,
)
from threadline_server.rooms.verdict import NOTHING_CREATED, Verdict

_ROOT_KINDS: Final = {
    ContentKind.MAP: MAP,
    ContentKind.TEXT: TEXT,
    ContentKind.ARRAY: ARRAY,
    ContentKind.XML: XML_FRAGMENT,
}
_XML_KINDS: Final = (XML_ELEMENT, XML_TEXT)
_NOBODY: Final = -1
_STEPS_OF_A_STRUCT: Final = 64
"""Pieces of a list that are passed by in the time that a struct takes."""


class _Progress:
    """How far one section has come. `ended` says that nothing more of it can be taken."""

    __slots__ = ("at", "ended", "section", "taken")

    def __init__(self, section: Section) -> None:
        self.section: Section = section
        self.at: int = 0
        self.ended: bool = False
        self.taken: Accepted | None = None


class Admission:
    """`judge` is None for what the log has: it is taken without being judged. `verdict` is there in the
    end; `sound` then says that it would have been taken as it is from a device too, if the rules allowed it.
    """

    __slots__ = (
        "_accepted",
        "_created",
        "_deletion",
        "_gap",
        "_in_key",
        "_in_type",
        "_index",
        "_judge",
        "_limits",
        "_maps",
        "_missing_client",
        "_missing_clock",
        "_order",
        "_owner",
        "_parent_client",
        "_parent_clock",
        "_parent_type",
        "_parsed",
        "_piece",
        "_pieces",
        "_progress",
        "_ready",
        "_replaced",
        "_rules",
        "_users",
        "_verbatim",
        "_waiting",
        "_whole",
        "sound",
        "verdict",
    )

    def __init__(
        self,
        index: ItemIndex,
        order: ListOrder,
        rules: RuleBook,
        limits: GateLimits,
        parsed: ParsedUpdate,
        owner: int,
        judge: Judge | None,
        users: list[str],
        *,
        whole: bool,
    ) -> None:
        """`whole` says that the sender has nothing more."""
        self._index: ItemIndex = index
        self._order: ListOrder = order
        self._rules: RuleBook = rules
        self._limits: GateLimits = limits
        self._parsed: ParsedUpdate = parsed
        self._owner: int = owner
        self._judge: Judge | None = judge
        self._users: list[str] = users
        self._whole: bool = whole
        self.verdict: Verdict | None = None
        self.sound: bool = True
        self._ready: list[int] = []
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self._accepted: list[Accepted] = []
        self._pieces: list[Accepted] = []
        self._piece: Accepted | None = None
        self._deletion: Deletion | None = None
        self._progress: list[_Progress] = []
        self._created: dict[str, list[str]] = {}
        self._maps: dict[str, list[tuple[int, int]]] = {}
        self._replaced: list[tuple[int, int]] = []
        self._gap: bool = False
        self._verbatim: bool = True
        self._missing_client: int = _NOBODY
        self._missing_clock: int = 0
        self._in_type: int = NO_TYPE
        self._in_key: int = NO_KEY
        self._parent_client: int = _NOBODY
        self._parent_clock: int = 0
        self._parent_type: int = NO_TYPE
        order.steps = MAX_SAFE_INTEGER if judge is None else limits.max_list_steps
        order.most_steps = MAX_SAFE_INTEGER if judge is None else limits.max_struct_steps
        self._begin()

    def advance(self, count: int) -> bool:
        """Integrate about `count` more structs, or deletions; whether that was the end.

        Raises MalformedUpdate or Refused half-way; the caller undoes.
        """
        while self._ready and count > 0:
            count = self._advance_section(self._ready[-1], count)
        if self._ready or count <= 0:
            return False
        deletion = self._deletion
        if deletion is None:
            deletion = self._deletion = self._begin_deletion()
        if not deletion.advance(count):
            return False
        self.verdict = self._conclude(deletion)
        return True

    def _begin_deletion(self) -> Deletion:
        for progress in self._progress:
            if progress.taken is not None:
                self._accepted.append(progress.taken)
            if progress.at < len(progress.section.structs):
                self._gap = True
        return Deletion(
            self._index,
            self._judge,
            self._users,
            self._accepted,
            self._replaced,
            self._parsed.deletes,
            gap=self._gap,
            whole=self._whole,
        )

    def _conclude(self, deletion: Deletion) -> Verdict:
        accepted = self._accepted
        gap = self._gap or deletion.gap
        if not accepted and not deletion.accepted.count:
            return Verdict(None, (), gap, NOTHING_CREATED)
        verbatim = self._verbatim and deletion.verbatim and self._parsed.ascending and not gap
        self.sound = self.sound and deletion.sound and verbatim
        in_parts = len(self._pieces) >= MANY_PIECES or deletion.accepted.count > AT_ONCE
        deletes = NO_DELETES if verbatim and not in_parts else deletion.accepted.encode()
        update = self._parsed.data if verbatim else write_update(self._parsed.data, accepted, deletes)
        by_id = self._index.by_id
        ranges = [ClockRange(taken.client, taken.clock, by_id[taken.client].next) for taken in accepted]
        verdict = Verdict(update, tuple(ranges), gap, self._created)
        verdict.maps = self._maps
        if in_parts:
            verdict.parts = Parts(self._parsed.data, self._pieces, deletes)
        return verdict

    # sections

    def _begin(self) -> None:
        for section in self._parsed.sections:
            self._progress.append(_Progress(section))
            if not section.structs:
                self._verbatim = False
        self._ready = list(range(len(self._progress) - 1, -1, -1))

    def _advance_section(self, at: int, count: int) -> int:
        """As far as it goes with about `count` structs; how many are left then, none where it can go on."""
        progress = self._progress[at]
        count = self._advance(progress, count)
        if count <= 0:
            return 0
        self._ready.pop()
        waiting = self._waiting
        if self._missing_client != _NOBODY:
            queue = waiting.setdefault(self._missing_client, [])
            heappush(queue, (self._missing_clock, at))
        woken = waiting.get(progress.section.client)
        if woken:
            runs = self._index.by_id.get(progress.section.client)
            while runs is not None and woken and woken[0][0] < runs.next:
                self._ready.append(heappop(woken)[1])
        return count

    def _advance(self, progress: _Progress, count: int) -> int:
        """Take structs until one has to wait; `_missing_client` then says for whom. Gives back what is left
        of `count`, of which a struct takes one, and more where it passes by many pieces of a list.
        """
        self._missing_client = _NOBODY
        section = progress.section
        structs = section.structs
        runs = self._index.by_id.get(section.client)
        clock = 0 if runs is None else runs.next
        while progress.at < len(structs) and not progress.ended:
            if count <= 0:
                return 0
            count -= 1
            item = structs[progress.at]
            if item.clock + item.length <= clock:
                self._verbatim = False
            elif item.ref == SKIP or item.clock > clock or (runs is not None and runs.owner != self._owner):
                progress.ended = True
                return count + 1
            elif not self._all_known(item, clock):
                return count + 1
            else:
                if runs is None:
                    runs = self._new_client(section.client)
                steps = self._order.steps
                self._take(progress, item, runs)
                count -= (steps - self._order.steps) // _STEPS_OF_A_STRUCT
                clock = runs.next
            progress.at += 1
        return max(count, 1)

    def _new_client(self, client: int) -> ClientRuns:
        if self._judge is not None and len(self._index.clients) >= self._limits.max_clients:
            malformed("the document has too many client ids")
        return self._index.add_client(client, self._owner)

    def _all_known(self, item: Struct, clock: int) -> bool:
        if item.clock < clock:
            return self._known(item.right_client, item.right_clock)
        return (
            self._known(item.origin_client, item.origin_clock)
            and self._known(item.right_client, item.right_clock)
            and self._known(item.parent_client, item.parent_clock)
        )

    def _known(self, client: int, clock: int) -> bool:
        if client < 0:
            return True
        runs = self._index.by_id.get(client)
        if runs is not None and clock < runs.next:
            return True
        self._missing_client = client
        self._missing_clock = clock
        return False

    # one struct

    def _take(self, progress: _Progress, item: Struct, runs: ClientRuns) -> None:
        known = runs.next - item.clock
        self._index.touch(runs)
        taken = self._account(progress, item, runs)
        length = item.length - known
        if item.ref == GC:
            if known:
                self._write_instead(taken, item, write_collected(length))
            self._take_gone(runs, length)
            return
        origin: ClientRuns | None = None
        origin_clock = 0
        if known:
            origin = runs
            origin_clock = runs.next - 1
        elif item.origin_client >= 0:
            origin = self._index.by_id[item.origin_client]
            origin_clock = item.origin_clock
        right: ClientRuns | None = None
        if item.right_client >= 0:
            right = self._index.by_id[item.right_client]
        if not self._locate(item, origin, origin_clock, right):
            # Yjs makes it a collected struct; yrs would keep it with its content, where nothing can delete it
            self._write_instead(taken, item, write_collected(length))
            self._take_gone(runs, length)
            return
        type_id = self._in_type
        joined = self._in_key != NO_KEY and item.ref == ANY and item.length > 1
        if joined:
            # Yjs joins values that replaced each other once all are deleted. If not all are, deleting the map
            # would make every Yjs replica throw.
            item.ref = DELETED
        self._check_pairs(origin, origin_clock, right, item.right_clock)
        self._check_kind(item, type_id, self._in_key != NO_KEY)  # what the log has may be planted
        if item.ref == TYPE and self._index.type_depths[type_id] >= self._limits.max_nesting:
            malformed("types are nested too deeply")
        if self._judge is not None:
            self._judge.struct(item, known, runs, type_id, self._in_key)
        if self._in_key != NO_KEY:
            if right is not None:
                self._object("a value at a key has a right origin")
            if known or joined:
                self._write_instead(taken, item, write_at_key(self._parsed.data, item, known))
            self._take_keyed(item, runs, length, origin, origin_clock)
        else:
            placed = self._take_listed(item, runs, length, origin, origin_clock, right)
            if placed == TOO_FAR and self._judge is not None:
                malformed("too much was written at the same places")
            if placed == MOVED or known:
                self._rewrite(taken, item, known, placed)
        self._note_content(item, runs, known, length)

    def _object(self, why: str) -> None:
        """A device may not send it. What the log has was let through once, and is taken as it is."""
        if self._judge is not None:
            malformed(why)
        self.sound = False

    def _account(self, progress: _Progress, item: Struct, runs: ClientRuns) -> Accepted:
        taken = progress.taken
        if taken is None:
            taken = progress.taken = Accepted(runs.client, runs.next)
            taken.data_start = item.start
        taken.count += 1
        taken.data_end = item.end
        piece = self._piece
        if piece is None or piece.client != runs.client or piece.full:
            piece = self._piece = Accepted(runs.client, runs.next)
            piece.data_start = item.start
            self._pieces.append(piece)
        piece.count += 1
        piece.data_end = item.end
        return taken

    def _rewrite(self, taken: Accepted, item: Struct, known: int, placed: int) -> None:
        if known:
            item.origin_client = item.client
            item.origin_clock = item.clock + known - 1
        moved = self._order.moved
        if placed == MOVED and moved is not None:
            clients = self._index.clients
            item.origin_client = _client_of(clients, moved.origin_client)
            item.origin_clock = moved.origin_clock
            item.right_client = _client_of(clients, moved.right_client)
            item.right_clock = moved.right_clock
        self._write_instead(taken, item, write_struct(self._parsed.data, item, known))

    def _write_instead(self, taken: Accepted, item: Struct, instead: bytes) -> None:
        change = (item.start, item.end, instead)
        taken.changes.append(change)
        if self._piece is not None:
            self._piece.changes.append(change)
        self._verbatim = False

    def _take_gone(self, runs: ClientRuns, length: int) -> None:
        start = runs.next
        self._index.add_gone(runs, length)
        self._index.add_dead(runs, start, start + length)

    def _locate(
        self, item: Struct, origin: ClientRuns | None, origin_clock: int, right: ClientRuns | None
    ) -> bool:
        """Find type and key of the struct. False where that place is gone."""
        index = self._index
        if origin is None and right is None:
            return self._locate_parent(item)
        self._in_type = NO_TYPE
        if origin is not None:
            row = origin.row_at(origin_clock)
            if origin.metas[row] & KIND_MASK == GONE:
                return False
            self._in_type = origin.parents[row]
            self._in_key = index.key_at(origin, row, origin_clock)
        if right is not None:
            row = right.row_at(item.right_clock)
            if right.metas[row] & KIND_MASK == GONE:
                return False
            type_id = right.parents[row]
            key = index.key_at(right, row, item.right_clock)
            if self._in_type == NO_TYPE:
                self._in_type = type_id
                self._in_key = key
            elif self._in_type != type_id or self._in_key != NO_KEY or key != NO_KEY:
                malformed("a struct's origins are in different places")
        return True

    def _locate_parent(self, item: Struct) -> bool:
        index = self._index
        if item.root is not None:
            self._in_type = self._root(item.root)
        else:
            if item.parent_client != self._parent_client or item.parent_clock != self._parent_clock:
                runs = index.by_id[item.parent_client]
                self._parent_client = item.parent_client
                self._parent_clock = item.parent_clock
                self._parent_type = index.type_at(runs, item.parent_clock)
                if self._parent_type == NO_TYPE and not index.was_type(runs, item.parent_clock):
                    malformed("a struct's parent is not a type")
            self._in_type = self._parent_type
            if self._in_type == NO_TYPE:
                return False
        self._in_key = NO_KEY
        if item.key is not None:
            self._in_key = index.keys.add(item.key, not index.is_root(self._in_type))
            if item.root is not None:
                keys = self._created.get(item.root)
                if keys is None:
                    keys = self._created[item.root] = []
                keys.append(item.key)
        return True

    def _root(self, name: str) -> int:
        index = self._index
        known = index.root_ids.get(name, NO_TYPE)
        if known != NO_TYPE:
            return known
        kind = self._rules.root_kind(name)
        if kind is None and self._judge is not None and len(index.root_names) >= self._limits.max_roots:
            malformed("the document has too many roots")
        return index.root(name, UNKNOWN_TYPE if kind is None else _ROOT_KINDS[kind])

    def _check_pairs(
        self, origin: ClientRuns | None, origin_clock: int, right: ClientRuns | None, right_clock: int
    ) -> None:
        if origin is not None and origin.splits_pair(origin_clock + 1):
            self._object("a struct's origin is inside a character")
        if right is not None and right.splits_pair(right_clock):
            self._object("a struct's right origin is inside a character")

    def _check_kind(self, item: Struct, type_id: int, keyed: bool) -> None:
        """pycrdt reads a type as its kind says, and never returns from some contents of another kind."""
        flags = self._index.type_flags[type_id]
        kind = flags & TYPE_KIND_MASK
        ref = item.ref
        if kind == UNKNOWN_TYPE:
            self._infer(item, type_id, keyed, flags)
        elif keyed:
            if kind in (ARRAY, XML_FRAGMENT) or ref in (STRING, EMBED, FORMAT):
                malformed("a struct does not fit the type it is in")
        elif kind in (TEXT, XML_TEXT):
            if ref in (ANY, BINARY):
                malformed("a struct does not fit the type it is in")
        elif kind == ARRAY:
            if ref in (STRING, EMBED, FORMAT):
                malformed("a struct does not fit the type it is in")
        elif kind == MAP or (ref == TYPE and item.type_kind not in _XML_KINDS) or ref not in (TYPE, DELETED):
            malformed("a struct does not fit the type it is in")

    def _infer(self, item: Struct, type_id: int, keyed: bool, flags: int) -> None:
        """A root outside the schema is what its first contents say. Text and values never go together."""
        ref = item.ref
        if keyed:
            if ref in (STRING, EMBED, FORMAT):
                self._object("a struct does not fit the type it is in")
            saw, never = SAW_KEYS, SAW_VALUES
        elif ref in (STRING, EMBED, FORMAT):
            saw, never = SAW_TEXT, SAW_VALUES if flags & SAW_TEXT else SAW_VALUES | SAW_XML
        elif ref in (ANY, BINARY):
            saw, never = SAW_VALUES, SAW_TEXT | SAW_KEYS
        elif item.type_kind in _XML_KINDS:
            saw, never = SAW_XML, 0
        else:
            return
        if flags & never:
            self._object("a struct does not fit the type it is in")
        if not flags & saw:
            self._index.journal.put(self._index.type_flags, type_id, flags | saw)

    def _take_keyed(
        self, item: Struct, runs: ClientRuns, length: int, origin: ClientRuns | None, origin_clock: int
    ) -> None:
        """The value it replaces is deleted with that."""
        index = self._index
        type_id = self._in_type
        start = runs.next
        key_id = self._in_key
        follows = origin is runs and origin_clock == start - 1
        if origin is not None:
            if not origin.is_dead(origin_clock):
                index.add_dead(origin, origin_clock, origin_clock + 1)
                self._replaced.append((origin.client, origin_clock))
            if item.ref != ANY or not (follows and index.extends_field(runs, type_id, key_id)):
                index.add_link(runs, origin, origin_clock)
        if item.ref == TYPE:
            if item.root is not None and item.type_kind == MAP:
                self._maps.setdefault(item.root, []).append((runs.client, start))
            index.add_type(runs, item.type_kind, index.type_depths[type_id] + 1)
            index.add_branch(runs, type_id, key_id)
            return
        if item.ref == DELETED:
            index.add_shell(runs, type_id, key_id, length)
            return
        index.add_field(runs, type_id, key_id, follows)

    def _take_listed(
        self,
        item: Struct,
        runs: ClientRuns,
        length: int,
        origin: ClientRuns | None,
        origin_clock: int,
        right: ClientRuns | None,
    ) -> int:
        index = self._index
        type_id = self._in_type
        leaf = item.ref not in (TYPE, DELETED)
        placed = self._order.place(type_id, runs, length, leaf, origin, origin_clock, right, item.right_clock)
        if leaf:
            index.add_leaf(runs, type_id, length)
        elif item.ref == DELETED:
            index.add_husk(runs, type_id, length)
        else:
            index.add_type(runs, item.type_kind, index.type_depths[type_id] + 1)
            index.add_node(runs, type_id)
        return placed

    def _note_content(self, item: Struct, runs: ClientRuns, known: int, length: int) -> None:
        start = runs.next - length
        if item.ref == DELETED:
            self._index.add_dead(runs, start, runs.next)
        elif item.text is not None:
            text = item.text if known == 0 else cut_string(item.text, known)
            self._index.add_pairs(runs, start, text)


def _client_of(clients: list[ClientRuns], number: int) -> int:
    return _NOBODY if number == NOBODY else clients[number].client
