"""One document on the wire: the join, exact acknowledgements, gaps, refusals."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Map, Text
from tests.client.exchange import Exchange, channel_of

from threadline.channel import Channel, Phase
from threadline.errors import ProtocolError
from threadline.protocol import close_codes
from threadline.protocol.hocuspocus import CloseDocument, SyncStatus, TokenRequested
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, PermissionDenied


def write(channel: Channel, key: str, value: object = 1) -> None:
    channel.replica.doc.get("state", type=Map)[key] = value


def state(channel: Channel) -> dict[str, object]:
    return dict(channel.replica.doc.get("state", type=Map).to_py() or {})


def test_a_join_gives_the_hello_then_the_content_then_is_saved() -> None:
    exchange = Exchange()
    first, owner = channel_of()
    write(first, "offline")
    assert not first.is_saved
    exchange.connect(first)
    assert first.phase is Phase.LIVE
    assert first.is_saved
    assert [hello.user for hello in owner.hellos] == ["ada"]
    second, _ = channel_of()
    exchange.connect(second)
    assert state(second) == {"offline": 1}


def test_changes_travel_both_ways() -> None:
    exchange = Exchange()
    (first, _), (second, _) = channel_of(), channel_of()
    exchange.connect(first, second)
    write(first, "a")
    write(second, "b")
    exchange.settle()
    assert state(first) == state(second) == {"a": 1, "b": 1}


def test_every_acknowledgement_counts_for_exactly_one_message() -> None:
    exchange = Exchange()
    channel, _ = channel_of()
    exchange.connect(channel)
    exchange.hold = True
    for key in "abc":
        write(channel, key)
        exchange.settle()
    assert channel.waiting == 3
    for left in (2, 1, 0):
        exchange.acknowledge(1)
        assert channel.waiting == left
    assert channel.is_saved
    assert channel.acknowledged_clock == channel.replica.own_clock
    with pytest.raises(ProtocolError, match="more than was sent"):
        channel.receive(SyncStatus(True))


def test_changes_of_one_turn_are_one_message() -> None:
    exchange = Exchange()
    channel, _ = channel_of()
    exchange.connect(channel)
    exchange.seen.clear()
    for number in range(100):
        write(channel, str(number))
    exchange.settle()
    assert len(exchange.seen) == 1
    assert channel.is_saved
    assert exchange.doc.get("state", type=Map).to_py() == state(channel)


def test_what_was_not_acknowledged_goes_out_again() -> None:
    exchange = Exchange()
    channel, _ = channel_of()
    exchange.connect(channel)
    exchange.hold = True
    write(channel, "sent")
    exchange.settle()
    exchange.cut(channel)
    assert channel.phase is Phase.OFFLINE
    write(channel, "offline")
    assert not channel.is_saved
    exchange.connect(channel)
    assert not channel.is_saved
    exchange.acknowledge()
    assert channel.is_saved
    assert exchange.doc.get("state", type=Map).to_py() == {"sent": 1, "offline": 1}


def test_a_large_change_travels_as_a_step_2() -> None:
    exchange = Exchange()
    channel, _ = channel_of()
    exchange.connect(channel)
    channel.max_update_bytes = 1_000
    exchange.seen.clear()
    write(channel, "long", "x" * 2_000)
    exchange.settle()
    assert [type(message) for message in exchange.seen] == [SyncStep2]
    assert channel.is_saved


def test_a_gap_is_asked_for_and_never_applied() -> None:
    exchange = Exchange()
    channel, _ = channel_of()
    exchange.connect(channel)
    author = Doc[Text]()
    updates: list[bytes] = []
    author.observe(lambda event: updates.append(event.update))
    text = author.get("text", type=Text)
    for word in ("one ", "two ", "three"):
        text += word
    channel.receive(Update(updates[2]))
    assert str(channel.replica.doc.get("text", type=Text)) == ""
    exchange.doc.apply_update(author.get_update())
    [message] = channel.take()
    assert isinstance(message, SyncStep1)
    channel.receive(SyncStep2(exchange.doc.get_update(message.state_vector)))
    assert str(channel.replica.doc.get("text", type=Text)) == "one two three"


def test_a_refusal_stops_the_document_with_its_reason() -> None:
    exchange = Exchange()
    channel, owner = channel_of()
    exchange.connect(channel)
    exchange.hold = True
    write(channel, "x")
    exchange.settle()
    channel.receive(SyncStatus(False))
    channel.receive(CloseDocument(close_codes.REPLICA_REJECTED.reason("/state/x not yours")))
    assert channel.phase is Phase.STOPPED
    [stopped] = owner.stops
    assert stopped.code == "replica_rejected"
    assert "/state/x not yours" in stopped.sentence
    channel.receive(SyncStatus(True))
    assert not channel.is_saved
    assert channel.take() == []


def test_a_denied_token_stops_the_document() -> None:
    channel, owner = channel_of()
    channel.connected()
    channel.receive(PermissionDenied("unauthorized: expired"))
    assert owner.stops[0].close is close_codes.UNAUTHORIZED


def test_a_document_closed_for_now_asks_to_come_back() -> None:
    exchange = Exchange()
    channel, owner = channel_of()
    exchange.connect(channel)
    asked: list[bool] = []
    channel.on_comes_back = lambda: asked.append(True)
    channel.receive(CloseDocument(close_codes.ROOM_RELOADED.reason()))
    assert asked == [True]
    assert channel.phase is Phase.OFFLINE
    assert owner.stops == []


def test_a_fresh_token_is_asked_for() -> None:
    channel, _ = channel_of()
    channel.connected()
    channel.take()
    asked: list[bool] = []
    channel.on_token_wanted = lambda: asked.append(True)
    channel.receive(TokenRequested())
    assert asked == [True]
    channel.authenticate_again()
    assert len(channel.take()) == 1


def test_members_see_each_other_and_their_leaving() -> None:
    exchange = Exchange()
    (first, _), (second, _) = channel_of(client_id=1), channel_of(client_id=2)
    exchange.connect(first, second)
    first.presence.set(user="ada", typing=True)
    exchange.settle()
    assert "ada" in second.presence
    for message in first.leave():
        if isinstance(message, AwarenessUpdate):
            second.receive(message)
    assert "ada" not in second.presence


def test_a_gap_on_the_servers_side_is_settled_by_one_step_2() -> None:
    exchange = Exchange()
    channel, _ = channel_of()
    exchange.connect(channel)
    exchange.hold = True
    for key in "ab":
        write(channel, key)
        exchange.settle()
    channel.receive(SyncStep1(b"\x00"))
    write(channel, "c")
    assert [type(message) for message in channel.take()] == [SyncStep2, Update]
    for _ in "ab":
        channel.receive(SyncStatus(True))
        assert not channel.is_saved
    channel.receive(SyncStatus(True))
    assert channel.is_saved
