"""A backplane around another one that gives it nothing of what people wrote in the clear.

Sealed are updates, bases, indexes, decisions and blobs, by the key of their session, and titles and labels,
by the key of the catalogue. Names of sessions, users and agents, roles, times and clocks stay readable,
because the store looks things up by them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import structlog

from threadline.errors import ConfigurationError, SessionDeleted, SessionNotFound, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    Backplane,
    DocumentName,
    Fence,
    Following,
    Lease,
    LoggedTurn,
    Position,
    RunHint,
    SessionPage,
    SessionQuery,
    SessionRecord,
    Stored,
)
from threadline_server.backplane.cipher import CIPHER_KEY_BYTES, Cipher
from threadline_server.backplane.data_keys import DataKeys
from threadline_server.backplane.facets import page_size
from threadline_server.backplane.master_keys import Wrapping
from threadline_server.backplane.opening import Opening
from threadline_server.backplane.sealed_turns import open_turn
from threadline_server.backplane.sealer import Sealer, session_of

CATALOGUE = "*catalogue"
STATE_KIND = "encryption"
MAX_PAGES_SEARCHED = 50
_RETRY_S = 0.5

_log = structlog.get_logger()


class SealedBackplane:
    """`inner` keeps everything. A key that is not at hand makes an append wait, in order, as a store that is
    away does.
    """

    def __init__(self, inner: Backplane, wrapping: Wrapping) -> None:
        self.inner = inner
        self.node = inner.node
        self.durability = inner.durability
        self.keys = DataKeys(inner, wrapping)
        self._sealer = Sealer(inner.append, self._fetch_soon)
        self._tasks: set[asyncio.Task[None]] = set()
        self._catalogue: Cipher

    async def open(self) -> None:
        await self.inner.open()
        self.node, self.durability = self.inner.node, self.inner.durability
        try:
            self._catalogue = await self.keys.find_or_make(CATALOGUE)
            await self.inner.swap_value(STATE_KIND, "on", None, b"1")
        except BaseException:
            await self.inner.close()
            raise

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.inner.close()

    @property
    def healthy(self) -> bool:
        return self.inner.healthy

    def stats(self) -> dict[str, float]:
        return {**self.inner.stats(), "data_keys": len(self._sealer.ciphers)}

    # keys

    async def _cipher(self, session: SessionId) -> Cipher:
        """Raises SessionNotFound, SessionDeleted, StoreError."""
        cipher = self._sealer.ciphers.get(session)
        if cipher is None:
            cipher = await self.keys.find(session)
            if cipher is None:
                await self.inner.get_session(session)
                cipher = await self.keys.find_or_make(session)
            self._sealer.keep(session, cipher)
        return cipher

    # the catalogue

    async def create_session(self, record: SessionRecord) -> SessionRecord:
        return self._opened(await self.inner.create_session(self._sealed(record)))

    async def get_session(self, session: SessionId) -> SessionRecord:
        return self._opened(await self.inner.get_session(session))

    async def update_session(self, session: SessionId, **changes: object) -> SessionRecord:
        title, labels = changes.get("title"), changes.get("labels")
        if isinstance(title, str):
            changes["title"] = self._catalogue.seal_text(title, session.encode())
        if isinstance(labels, tuple | list):
            changes["labels"] = tuple(self._catalogue.seal_label(str(label)) for label in labels)
        return self._opened(await self.inner.update_session(session, **changes))

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        if query.label is not None:
            query = replace(query, label=self._catalogue.seal_label(query.label))
        if query.text is not None:
            return await self._search(query, query.text)
        page = await self.inner.list_sessions(query)
        return SessionPage(tuple(map(self._opened, page.sessions)), page.cursor)

    async def _search(self, query: SessionQuery, text: str) -> SessionPage:
        """Titles are read here; a page may be short where few of many sessions match."""
        found: list[SessionRecord] = []
        cursor = query.cursor
        for _ in range(MAX_PAGES_SEARCHED):
            room = page_size(query) - len(found)
            page = await self.inner.list_sessions(replace(query, text=None, limit=room, cursor=cursor))
            opened = map(self._opened, page.sessions)
            found += [record for record in opened if text.casefold() in record.title.casefold()]
            cursor = page.cursor
            if cursor is None or len(found) >= page_size(query):
                break
        return SessionPage(tuple(found), cursor)

    async def delete_session(self, session: SessionId) -> None:
        """The key goes with the rest: copies of the store elsewhere cannot be read from then on."""
        await self.inner.delete_session(session)
        self._sealer.ciphers.pop(session, None)
        await self.keys.destroy(session)

    def _sealed(self, record: SessionRecord) -> SessionRecord:
        cipher = self._catalogue
        return replace(
            record,
            title=cipher.seal_text(record.title, record.id.encode()),
            labels=tuple(map(cipher.seal_label, record.labels)),
        )

    def _opened(self, record: SessionRecord) -> SessionRecord:
        cipher = self._catalogue
        return replace(
            record,
            title=cipher.open_text(record.title, record.id.encode()),
            labels=tuple(map(cipher.open_label, record.labels)),
        )

    # the log

    async def load(self, document: DocumentName) -> Stored:
        stored = await self.inner.load(document)
        cipher, context = await self._cipher(session_of(document)), document.encode()
        return Stored(
            stored.lineage,
            None if stored.base is None else cipher.open(stored.base, context),
            None if stored.index is None else cipher.open(stored.index, context),
            stored.base_position,
            tuple(open_turn(cipher, document, logged) for logged in stored.tail),
        )

    async def read(
        self, document: DocumentName, after: Position, limit: int = 1000
    ) -> tuple[LoggedTurn, ...]:
        turns = await self.inner.read(document, after, limit)
        if not turns:
            return ()
        cipher = await self._cipher(session_of(document))
        return tuple(open_turn(cipher, document, logged) for logged in turns)

    def is_head(self, document: DocumentName, position: Position) -> bool:
        return self.inner.is_head(document, position)

    def append(self, appends: Sequence[Append]) -> None:
        self._sealer.append(appends)

    def _fetch_soon(self, session: SessionId) -> None:
        self._spawn(self._fetch(session))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, session: SessionId) -> None:
        while True:
            try:
                cipher = await self._cipher(session)
            except (SessionNotFound, SessionDeleted):
                cipher = Cipher(
                    bytes(CIPHER_KEY_BYTES)
                )  # of no use to anybody: the store refuses what it seals
            except StoreError as error:
                _log.warning("the key of a session cannot be fetched", session=session, error=error.message)
                await asyncio.sleep(_RETRY_S)
                continue
            break
        self._sealer.release(session, cipher)

    def follow(
        self,
        document: DocumentName,
        after: Position,
        on_turn: Callable[[LoggedTurn], None],
        on_deleted: Callable[[], None],
        on_lost: Callable[[], None] | None = None,
    ) -> Following:
        session = session_of(document)
        opening = Opening(document, self._sealer.ciphers.get(session), on_turn, on_lost or _nothing)
        if opening.cipher is None:
            self._spawn(self._bring_key(session, opening))

        def deleted() -> None:
            self._sealer.ciphers.pop(session, None)
            on_deleted()

        opening.inner = self.inner.follow(document, after, opening.receive, deleted, opening.lose)
        return opening

    async def _bring_key(self, session: SessionId, opening: Opening) -> None:
        try:
            opening.begin(await self._cipher(session))
        except StoreError:
            opening.lose()
        except (SessionNotFound, SessionDeleted):
            return  # the follower hears of that itself

    async def compact(
        self, document: DocumentName, lineage: str, base: bytes, index: bytes, through: Position
    ) -> None:
        cipher, context = await self._cipher(session_of(document)), document.encode()
        await self.inner.compact(
            document, lineage, cipher.seal(base, context), cipher.seal(index, context), through
        )

    # what is passed on

    def publish(self, document: DocumentName, payload: bytes) -> None:
        self.inner.publish(document, payload)

    def listen(self, document: DocumentName, on_payload: Callable[[bytes], None]) -> Following:
        return self.inner.listen(document, on_payload)

    async def acquire_lease(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        return await self.inner.acquire_lease(session, holder, ttl_ms)

    async def renew_lease(self, lease: Lease, ttl_ms: int) -> Lease | None:
        return await self.inner.renew_lease(lease, ttl_ms)

    async def release_lease(self, lease: Lease) -> None:
        await self.inner.release_lease(lease)

    async def decide(self, session: SessionId, key: str, value: str, fence: Fence | None = None) -> str:
        cipher, context = await self._cipher(session), f"{session}/decision/{key}".encode()
        first = await self.inner.decide(session, key, cipher.seal_text(value, context), fence)
        return cipher.open_text(first, context)

    async def list_decisions(self, session: SessionId) -> dict[str, str]:
        cipher = await self._cipher(session)
        return {
            key: cipher.open_text(value, f"{session}/decision/{key}".encode())
            for key, value in (await self.inner.list_decisions(session)).items()
        }

    async def list_lives(self, kind: str) -> dict[str, int]:
        return await self.inner.list_lives(kind)

    async def get_value(self, kind: str, key: str) -> bytes | None:
        return await self.inner.get_value(kind, key)

    async def list_values(self, kind: str) -> dict[str, bytes]:
        return await self.inner.list_values(kind)

    async def swap_value(
        self, kind: str, key: str, old: bytes | None, new: bytes | None, ttl_ms: int = 0
    ) -> bool:
        return await self.inner.swap_value(kind, key, old, new, ttl_ms)

    async def hint(self, hint: RunHint) -> None:
        await self.inner.hint(hint)

    def hints(self) -> AsyncIterator[RunHint]:
        return self.inner.hints()

    async def put_blob(self, session: SessionId, blob: str, data: bytes) -> None:
        cipher = await self._cipher(session)
        await self.inner.put_blob(session, blob, cipher.seal(data, f"{session}/blob/{blob}".encode()))

    async def get_blob(self, session: SessionId, blob: str) -> bytes:
        sealed = await self.inner.get_blob(session, blob)
        return (await self._cipher(session)).open(sealed, f"{session}/blob/{blob}".encode())

    async def list_documents(self, session: SessionId) -> tuple[DocumentName, ...]:
        return await self.inner.list_documents(session)

    def tombstones(self) -> AsyncIterator[tuple[SessionId, str]]:
        return self.inner.tombstones()


async def refuse_sealed(backplane: Backplane) -> None:
    """Raises ConfigurationError where a store holds what is encrypted and no keys were given for it."""
    if isinstance(backplane, SealedBackplane):
        return
    if await backplane.get_value(STATE_KIND, "on") is not None:
        raise ConfigurationError(
            "What this store holds is encrypted; give its master keys with --encryption-keys-file."
        )


def _nothing() -> None:
    """For whoever does not ask."""
