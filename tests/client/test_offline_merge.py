"""Two devices edit the same things while apart and meet: both parts are there, and both devices agree."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from tests.client.exchange import Exchange, channel_of

from threadline.channel import Channel
from threadline.document.companion import CompanionDocument
from threadline.document.session_document import SessionDocument
from threadline.session import Session

CASES = 1_000
BATCHES = 20


class Device:
    """A session and a companion over channels, without sockets."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.main, _ = channel_of("trip")
        self.mine, _ = channel_of("trip~me")
        self.document = SessionDocument(self.main.replica.doc)
        self.session = Session.over(self.document, session_id="trip", user_id=name)
        self.companion = CompanionDocument(self.mine.replica.doc)
        self.fields: dict[str, Any] = {}
        self.items: list[str] = []
        self.words: list[str] = []
        self.added = 0
        self.serial = 0

    @property
    def channels(self) -> list[Channel]:
        return [self.main, self.mine]

    def edit(self, chance: random.Random) -> None:
        """One edit of the dict, the list, the counter or the draft, remembered."""
        self.serial += 1
        label = f"{self.name}{self.serial}"
        match chance.randrange(4):
            case 0:
                self.fields[label] = chance.choice([1, "x", {"deep": [label]}, []])
                self.session["dict"] = {**self.session.get("dict", {}), label: self.fields[label]}
            case 1:
                items = list(self.session.get("list", []))
                items.insert(chance.choice([0, len(items)]), label)
                self.session["list"] = items
                self.items.append(label)
            case 2:
                amount = chance.randint(-5, 5)
                self.session.counters.add("count", amount)
                self.added += amount
            case 3:
                self._type(chance, f" {label}é👋 ")

    def _type(self, chance: random.Random, word: str) -> None:
        """Insert a word between two words, never inside one."""
        gaps = self.companion.draft.text.split("  ")
        gaps.insert(chance.randint(0, len(gaps)), word.strip())
        self.companion.draft.text = "  ".join(gap for gap in gaps if gap)
        self.words.append(word.strip())


class Place:
    """The server's side of both documents."""

    def __init__(self) -> None:
        self.exchanges = [Exchange(), Exchange()]

    def connect(self, device: Device) -> None:
        for exchange, channel in zip(self.exchanges, device.channels, strict=True):
            exchange.connect(channel)

    def cut(self, device: Device) -> None:
        for exchange, channel in zip(self.exchanges, device.channels, strict=True):
            exchange.cut(channel)

    def settle(self) -> None:
        for exchange in self.exchanges:
            exchange.settle()


def play(seed: int) -> list[Device]:
    chance = random.Random(seed)
    place, devices = Place(), [Device("a"), Device("b")]
    for device in devices:
        place.connect(device)
    for _ in range(chance.randint(1, 6)):
        chance.choice(devices).edit(chance)
        if chance.random() < 0.5:
            place.settle()
    for device in devices:
        place.cut(device)
    for _ in range(chance.randint(2, 12)):
        chance.choice(devices).edit(chance)
    chance.shuffle(devices)
    for device in devices:
        place.connect(device)
    place.settle()
    return devices


@pytest.mark.parametrize("batch", range(BATCHES))
def test_both_parts_meet(batch: int) -> None:
    for seed in range(batch * CASES // BATCHES, (batch + 1) * CASES // BATCHES):
        one, other = play(seed)
        assert one.document.digest() == other.document.digest(), seed
        assert one.companion.digest() == other.companion.digest(), seed
        for device in (one, other):
            assert device.main.is_saved, seed
            assert device.mine.is_saved, seed
            assert device.session.get("dict", {}) == {**one.fields, **other.fields}, seed
            assert Counter(device.session.get("list", [])) == Counter(one.items + other.items), seed
            assert device.session.counters["count"] == one.added + other.added, seed
            for word in one.words + other.words:
                assert device.companion.draft.text.count(word) >= 1, seed


@pytest.mark.row("S1-26")
def test_one_key_set_by_both_has_one_winner_everywhere() -> None:
    place, one, other = Place(), Device("a"), Device("b")
    one.session["city"], other.session["city"] = "Berlin", "Hamburg"
    place.connect(one)
    place.connect(other)
    place.settle()
    assert one.session["city"] == other.session["city"]
    assert one.session["city"] in ("Berlin", "Hamburg")
