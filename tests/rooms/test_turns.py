"""Who has the loop next: work above its share waits for work within its share, and for nothing else."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns

import pytest
from tests.waiting import until

from threadline_server.rooms.turns import Account, Turns

pytestmark = pytest.mark.asyncio

MUCH_NS = 50_000_000
LITTLE_NS = 10_000


class Waiter:
    """Notes its turns, each of which takes all of a slice; stands in line again as long as it has `more`."""

    def __init__(self, turns: Turns, name: str, served: list[str], more: int = 0) -> None:
        self.turns = turns
        self.name = name
        self.served = served
        self.more = more

    def take_turn(self, until_ns: int) -> bool:
        self.served.append(self.name)
        if self.more:
            self.more -= 1
            self.turns.wait(self)
        return True


class Failing:
    def take_turn(self, until_ns: int) -> bool:
        raise RuntimeError("no turn")


def at_work(turns: Turns, user: str, cost_ns: int) -> Account:
    account = turns.account_of(user)
    turns.note(account, cost_ns)
    return account


def defers(turns: Turns, account: Account) -> bool:
    return turns.defers(account, perf_counter_ns())


async def test_who_asks_little_never_waits() -> None:
    turns = Turns()
    at_work(turns, "eve", MUCH_NS)
    assert not defers(turns, at_work(turns, "ada", LITTLE_NS))


async def test_who_asks_much_waits_while_others_are_at_work() -> None:
    turns = Turns()
    at_work(turns, "ada", LITTLE_NS)
    assert defers(turns, at_work(turns, "eve", MUCH_NS))


async def test_who_asks_much_and_is_alone_waits_for_nobody() -> None:
    turns = Turns()
    assert not defers(turns, at_work(turns, "eve", MUCH_NS))
    at_work(turns, "ada", LITTLE_NS)
    for _ in range(100):
        ada = at_work(turns, "ada", MUCH_NS // 50)
    assert not defers(turns, ada)


async def test_who_was_within_its_share_last_waits_for_those_before() -> None:
    turns = Turns()
    at_work(turns, "ada", LITTLE_NS)
    for _ in range(100):
        eve = at_work(turns, "eve", MUCH_NS // 50)
    assert defers(turns, eve)


async def test_only_others_make_a_slice_short() -> None:
    """What one user sends in a burst is one turn, as long as nobody else wants the loop."""
    turns = Turns()
    ada = at_work(turns, "ada", LITTLE_NS)
    now_ns = perf_counter_ns()
    assert turns.until_ns(ada, now_ns) == now_ns + turns.long_slice_ns
    assert turns.until_ns(turns.account_of("bob"), now_ns) == now_ns + turns.slice_ns
    assert turns.until_ns(None, now_ns) == now_ns + turns.slice_ns
    at_work(turns, "bob", LITTLE_NS)
    now_ns = perf_counter_ns()
    assert turns.until_ns(ada, now_ns) == now_ns + turns.slice_ns


async def test_all_that_a_user_has_done_is_counted_together() -> None:
    turns = Turns()
    at_work(turns, "ada", LITTLE_NS)
    for _ in range(10):
        at_work(turns, "eve", MUCH_NS // 10)
    assert defers(turns, turns.account_of("eve"))
    assert turns.account_of("eve") is turns.account_of("eve")


async def test_what_was_done_is_soon_forgiven() -> None:
    turns = Turns()
    eve = at_work(turns, "eve", 1_000 * MUCH_NS)
    at_work(turns, "ada", LITTLE_NS)
    later_ns = perf_counter_ns() + 100_000_000
    turns.charge(turns.account_of("ada"), later_ns, later_ns)
    assert not turns.defers(eve, later_ns)


async def test_the_line_is_served_in_order_with_the_loop_in_between() -> None:
    turns = Turns()
    served: list[str] = []
    for name in ("first", "second"):
        turns.wait(Waiter(turns, name, served, more=1))
    asyncio.get_running_loop().call_soon(served.append, "loop")
    await until(lambda: len(served) == 5, "all had their turns", every_s=0)
    assert served == ["first", "loop", "second", "first", "second"]
    assert turns.stats() == {"turns_deferred_total": 4, "turns_waiting": 0}


async def test_what_work_within_its_share_has_begun_goes_before_the_line() -> None:
    turns = Turns()
    served: list[str] = []
    turns.wait(Waiter(turns, "first", served))
    at_work(turns, "ada", LITTLE_NS)
    asyncio.get_running_loop().call_soon(served.append, "flush")
    await until(lambda: len(served) == 2, "both were done", every_s=0)
    assert served == ["flush", "first"]


async def test_a_waiter_that_fails_holds_up_nobody() -> None:
    turns = Turns()
    served: list[str] = []
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    turns.wait(Failing())
    turns.wait(Waiter(turns, "next", served))
    await until(lambda: bool(served), "the next had its turn", every_s=0)
    assert isinstance(told[0], RuntimeError)


async def test_a_task_waits_for_its_turn() -> None:
    turns = Turns()
    at_work(turns, "ada", LITTLE_NS)
    eve = at_work(turns, "eve", MUCH_NS)
    await turns.turn(eve)
    await turns.turn(turns.account_of("ada"))
    assert turns.deferred_total == 1


async def test_a_task_that_is_cancelled_in_line_leaves_it() -> None:
    turns = Turns()
    at_work(turns, "ada", LITTLE_NS)
    task = asyncio.create_task(turns.turn(at_work(turns, "eve", MUCH_NS)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    served: list[str] = []
    turns.wait(Waiter(turns, "next", served))
    await until(lambda: bool(served), "the next had its turn", every_s=0)


async def test_accounts_of_users_long_gone_are_let_go() -> None:
    turns = Turns()
    eve = at_work(turns, "eve", MUCH_NS)
    first = turns.account_of("user 0")
    for number in range(3_000):
        turns.account_of(f"user {number}")
    assert turns.account_of("user 0") is not first
    assert turns.account_of("eve") is eve
