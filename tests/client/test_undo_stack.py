"""How long the undo stack of a session lives."""

from __future__ import annotations

import gc

from threadline.session import Session


def test_a_session_may_go_while_its_document_is_read() -> None:
    """Its undo manager would make the document library fail, which pytest would tell."""
    session = Session(user_id="ada")
    session["city"] = "Berlin"
    document = session.document
    with document.doc.transaction():
        del session
        gc.collect()
    assert document.doc.get_update()
