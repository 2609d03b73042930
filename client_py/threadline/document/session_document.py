"""A session document: typed views over a `pycrdt.Doc`. Views read what is there now; they keep no copies."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Map, Transaction

from threadline.document.counters import Counters
from threadline.document.digest import session_digest
from threadline.document.events import Event, project
from threadline.document.intents import Intents
from threadline.document.messages import Messages
from threadline.document.meta import Meta
from threadline.document.order_key import Suffix, random_suffix
from threadline.document.runs import Runs
from threadline.document.state import FlatState


class SessionDocument:
    """The roots of one session. Making this writes nothing: roots exist by their names."""

    def __init__(self, doc: Doc[Any], *, suffix: Suffix = random_suffix) -> None:
        self.doc = doc
        self.meta = Meta(doc.get("meta", type=Map))
        self.messages = Messages(doc.get("messages", type=Map))
        self.state = FlatState(doc.get("state", type=Map), suffix=suffix)
        self.counters = Counters(doc.get("counters", type=Map))
        self.intents = Intents(doc.get("intents", type=Map))
        self.runs = Runs(doc.get("runs", type=Map))

    def transaction(self, origin: object = None) -> Transaction:
        """Changes inside become one update. Nests; an inner one must not name another origin."""
        return self.doc.transaction(origin)

    def events(self, run_id: str, after: str | None = None) -> list[Event]:
        """Events of a run after the one with the id `after`."""
        return project(self, run_id, after)

    def digest(self) -> str:
        """By this, replicas are compared."""
        return session_digest(self.doc)
