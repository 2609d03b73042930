from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc

from threadline.document.companion import CompanionDocument


def meet(here: CompanionDocument, there: CompanionDocument) -> None:
    update, other = here.doc.get_update(), there.doc.get_update()
    here.doc.apply_update(other)
    there.doc.apply_update(update)


@settings(max_examples=1000)
@given(st.text("aé🏨 ", max_size=12), st.data())
def test_what_two_devices_type_apart_is_both_there(base: str, data: st.DataObject) -> None:
    here, there = (CompanionDocument(Doc(client_id=number)) for number in (1, 2))
    here.draft.text = base
    meet(here, there)
    for document, typed in ((here, "LEFT"), (there, "RIGHT")):
        place = data.draw(st.integers(0, len(base)))
        document.draft.text = base[:place] + typed + base[place:]
    meet(here, there)
    merged = here.draft.text
    assert merged == there.draft.text
    assert here.digest() == there.digest()
    assert merged.replace("LEFT", "").replace("RIGHT", "") == base


def test_read_markers_never_go_back() -> None:
    document = CompanionDocument(Doc())
    document.read.mark("phone", 5)
    document.read.mark("phone", 3)
    document.read.mark("laptop", 4)
    assert document.read.up_to == 5


def test_an_empty_companion() -> None:
    document = CompanionDocument(Doc())
    assert (document.draft.text, document.read.up_to, document.state.to_dict()) == ("", 0, {})
    document.draft.text = "x"
    document.draft.clear()
    assert str(document.draft) == ""
