from __future__ import annotations

from collections.abc import Callable

import pytest
from pycrdt import Map

from threadline.document.session_document import SessionDocument

Devices = Callable[[int], list[SessionDocument]]
Meet = Callable[..., None]


def test_what_is_added_apart_adds_up(devices: Devices, meet: Meet) -> None:
    replicas = devices(5)
    for document in replicas:
        for _ in range(100):
            document.counters.add("views")
    meet(*replicas)
    assert {document.counters["views"] for document in replicas} == {500}


def test_counters_are_told_apart_by_their_whole_name(devices: Devices) -> None:
    (here,) = devices(1)
    here.counters.add("a", 2)
    here.counters.add("a/b", -1.5)
    assert here.counters.to_dict() == {"a": 2, "a/b": -1.5}
    assert (list(here.counters), here.counters["none"], "a/b" in here.counters) == (["a", "a/b"], 0, True)


def test_folding_keeps_the_sum(devices: Devices, meet: Meet) -> None:
    here, there = devices(2)
    here.counters.add("a", 2)
    there.counters.add("a", 3)
    meet(here, there)
    assert here.counters.fold("a", {2})
    assert here.counters["a"] == 5
    assert not here.counters.fold("a", {2})


def test_only_finite_numbers_count(devices: Devices) -> None:
    (here,) = devices(1)
    for amount in (float("nan"), float("inf"), True):
        with pytest.raises(ValueError, match="finite"):
            here.counters.add("a", amount)
    here.doc.get("counters", type=Map)["a/9"] = "many"
    assert here.counters["a"] == 0
