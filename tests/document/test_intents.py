from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Map

from threadline.document.intents import (
    ApprovalIntent,
    CancelIntent,
    Intent,
    IntentKind,
    OnBusy,
    RunIntent,
    TitleIntent,
    Verdict,
    read_intent,
    write_intent,
)
from threadline.document.schema import schema
from threadline.document.session_document import SessionDocument

Devices = Callable[[int], list[SessionDocument]]
INTENTS: list[Intent] = [
    RunIntent(id="ada/1", device="phone", at=1, message="ada/m"),
    RunIntent(
        id="ada/2",
        at=2,
        agent="travel",
        goal="a trip",
        context={"city": ["Berlin"]},
        limits={"max_steps": 2},
        on_busy=OnBusy.REJECT,
        tools=(),
        model="demo",
        system="be short",
    ),
    CancelIntent(id="ada/3", at=3, run="ada/1", reason="enough"),
    ApprovalIntent(id="ada/4", at=4, run="ada/1", call="c", decision=Verdict.REJECT, reason="too dear"),
    TitleIntent(id="ada/5", at=5, title="Berlin"),
]


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.id)
def test_an_intent_is_written_and_read_back(intent: Intent, devices: Devices) -> None:
    (here,) = devices(1)
    here.intents.add(intent)
    assert here.intents.get(intent.id) == intent
    assert intent.user == "ada"
    with pytest.raises(ValueError, match="already"):
        here.intents.add(intent)


def test_the_schema_names_the_same_fields() -> None:
    described = schema()["session"]["intents"]
    assert list(described["kinds"]) == [str(kind) for kind in IntentKind]
    assert described["on_busy"] == [str(way) for way in OnBusy]
    assert described["decision"] == [str(verdict) for verdict in Verdict]
    for intent in INTENTS:
        assert set(write_intent(intent)) <= {*described["common"], *described["kinds"][intent.kind]}


def test_intents_by_the_clocks_of_their_devices(devices: Devices) -> None:
    (here,) = devices(1)
    for intent in reversed(INTENTS):
        here.intents.add(intent)
    here.doc.get("intents", type=Map)["eve/x"] = ["no intent"]
    assert here.intents.by_time() == INTENTS
    assert "eve/x" in here.intents.ids()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=6) | st.binary(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["kind", "run", "at", "limits", "tools", "on_busy"]), inner)
        ),
    )
    | st.fixed_dictionaries({"kind": st.sampled_from(list(IntentKind))}, optional={"at": st.floats()})
)
def test_reading_never_raises(value: object) -> None:
    read_intent("ada/1", value)
