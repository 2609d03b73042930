"""When turns under `appendfsync everysec` are acknowledged, against a scripted append-only file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio
from tests.contract.writing import eventually

from threadline_server.backplane.redis.confirmer import Confirmer
from threadline_server.backplane.redis.endpoint import Address, parse_endpoint
from threadline_server.backplane.redis.link import OnReply, RedisAway
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.topology import Topology

HERE = Address("127.0.0.1", 1)


class File:
    """What INFO would say, and the questions that wait for it. In the place of the links to Redis."""

    def __init__(self) -> None:
        self.topology = Topology(parse_endpoint("redis://127.0.0.1:1"))
        self.topology.move(0, HERE)
        self.questions: list[OnReply] = []
        self.written: list[str] = []
        self.confirmer = Confirmer[str](cast(Links, self), self.written.extend)

    def submit(self, slot: int, command: bytes, on_reply: OnReply) -> None:
        assert b"INFO" in command
        self.questions.append(on_reply)

    async def answer(self, size: int, buffered: int, status: str = "ok") -> None:
        await eventually(lambda: len(self.questions) == 1)
        fields = (("current_size", size), ("buffer_length", buffered), ("last_write_status", status))
        self.questions.pop()("".join(f"aof_{name}:{value}\r\n" for name, value in fields).encode())


@pytest_asyncio.fixture
async def file() -> AsyncIterator[File]:
    yield File()


@pytest.mark.asyncio
async def test_an_empty_buffer_means_written(file: File) -> None:
    file.confirmer.add(0, "a")
    assert file.written == []
    await file.answer(size=100, buffered=0)
    assert file.written == ["a"]


@pytest.mark.asyncio
async def test_what_was_buffered_is_waited_for_in_order(file: File) -> None:
    file.confirmer.add(0, "a")
    await file.answer(size=100, buffered=50)
    file.confirmer.add(0, "b")
    assert file.written == []
    await file.answer(size=120, buffered=70)
    assert file.written == []
    await file.answer(size=150, buffered=40)
    assert file.written == ["a"]
    await file.answer(size=190, buffered=9)
    assert file.written == ["a", "b"]


@pytest.mark.asyncio
async def test_a_turn_that_came_after_the_question_waits_for_the_next(file: File) -> None:
    file.confirmer.add(0, "a")
    file.confirmer.add(0, "b")
    await file.answer(size=100, buffered=0)
    assert file.written == ["a"]
    await file.answer(size=100, buffered=0)
    assert file.written == ["a", "b"]


@pytest.mark.asyncio
async def test_what_nobody_waits_for_is_asked_for_once_for_many(file: File) -> None:
    for number in range(20):
        file.confirmer.add(0, f"{number}", awaited=False)
        await asyncio.sleep(0)
    assert file.questions == []
    await file.answer(size=100, buffered=0)
    assert len(file.written) == 20


@pytest.mark.asyncio
async def test_somebody_who_waits_does_not_wait_for_those_who_do_not(file: File) -> None:
    file.confirmer.add(0, "a", awaited=False)
    file.confirmer.add(0, "b")
    assert len(file.questions) == 1
    file.confirmer.add(0, "c", awaited=False)
    await file.answer(size=100, buffered=0)
    assert file.written == ["a", "b"]
    file.confirmer.add(0, "d")
    assert len(file.questions) == 1
    await file.answer(size=150, buffered=0)
    assert file.written == ["a", "b", "c", "d"]
    assert file.questions == []


@pytest.mark.asyncio
async def test_a_rewritten_file_sets_new_marks(file: File) -> None:
    file.confirmer.add(0, "a")
    await file.answer(size=1_000, buffered=50)
    await file.answer(size=200, buffered=60)
    assert file.written == []
    await file.answer(size=260, buffered=0)
    assert file.written == ["a"]


@pytest.mark.asyncio
async def test_a_file_that_cannot_be_written_is_told_of_until_it_can(file: File) -> None:
    file.confirmer.add(0, "a")
    await file.answer(size=100, buffered=50, status="err")
    assert file.written == []
    assert file.confirmer.failing
    await file.answer(size=150, buffered=0)
    assert file.written == ["a"]
    assert not file.confirmer.failing


@pytest.mark.asyncio
async def test_redis_away_is_asked_again(file: File) -> None:
    file.confirmer.add(0, "a")
    await eventually(lambda: len(file.questions) == 1)
    file.questions.pop()(RedisAway("gone"))
    await file.answer(size=100, buffered=0)
    assert file.written == ["a"]


@pytest.mark.asyncio
async def test_a_restarted_redis_gives_back_what_is_not_written(file: File) -> None:
    file.confirmer.add(0, "a")
    await file.answer(size=100, buffered=50)
    file.confirmer.add(0, "b")
    assert len(file.confirmer) == 2
    assert file.confirmer.take_back(HERE) == ["a", "b"]
    assert file.confirmer.take_back(HERE) == []
    file.confirmer.add(0, "c")
    await eventually(lambda: len(file.questions) >= 1)
    for question in file.questions:
        question(b"aof_current_size:1\r\naof_buffer_length:0\r\n")
    assert file.written == ["c"]
