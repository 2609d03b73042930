"""Who has the loop next: those who ask little of it before those who ask much.

A node does everything on one loop, one thing after the other, so whoever has much done keeps all others
waiting. The time that each user's frames take is therefore counted, by a leaky bucket. As long as somebody is
at work who is within a fair share, who is above it stands in line, and the line is served a slice at a time,
with a look at the sockets in between. Nobody is slowed down while nobody else wants the loop.

Sockets that have shown no token share one account, and so do requests over HTTP: who is in goes first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import Final, Protocol

_SHARE: Final = 8
"""A fair share of the loop is one part in so many."""

_BURST_NS: Final = 16_000_000
"""How far an account may be ahead of its share: two milliseconds of work at once."""

_MOST_AHEAD_NS: Final = 64_000_000
"""An account is never further ahead than this, so it is soon within its share when it stops."""

_RECENT_NS: Final = 50_000_000
"""For so long after somebody within a fair share was at work, others stand in line."""

_MANY_ACCOUNTS: Final = 1_000

FOR_EVER: Final = (1 << 62) - 1
"""A time by `perf_counter_ns` that never comes."""


class InLine(Protocol):
    """What stands in line."""

    def take_turn(self, until_ns: int, /) -> bool:
        """Go on, until about `until_ns` by `perf_counter_ns`; whether more follows of what that begins."""


class Turn:
    """In line for a task, which waits for `came`."""

    __slots__ = ("came",)

    def __init__(self) -> None:
        self.came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take_turn(self, until_ns: int) -> bool:
        if self.came.done():  # cancelled meanwhile
            return False
        self.came.set_result(None)
        return True


class Slice:
    """Work of a task that goes on a little at a time, and stands in line in between. `until_ns` is when it is
    to, by `perf_counter_ns`.
    """

    __slots__ = ("_turns", "until_ns")

    def __init__(self, turns: Turns) -> None:
        self._turns: Turns = turns
        self.until_ns: int = perf_counter_ns() + turns.at_once_ns

    @property
    def over(self) -> bool:
        return perf_counter_ns() > self.until_ns

    async def next(self) -> None:
        await self._turns.stand()
        self.until_ns = perf_counter_ns() + self._turns.at_once_ns


class Account:
    """`due_ns` is when its user's work is paid for, at a fair share of the loop."""

    __slots__ = ("due_ns",)

    def __init__(self) -> None:
        self.due_ns: int = 0


class Turns:
    """door:          the account of all who have shown no token
    serving:       what is done just now was in line
    at_once_ns:    what takes longer than this goes on in line
    slice_ns:      what one has of the loop at a time, where others wait
    long_slice_ns: where nobody does
    flush_by_ns:   when the sockets that are still to be read wait until what was made of others is flushed
    """

    __slots__ = (
        "_accounts",
        "_fair",
        "_fair_before_ns",
        "_fair_until_ns",
        "_fair_work",
        "_line",
        "_many",
        "_waking",
        "at_once_ns",
        "deferred_total",
        "door",
        "flush",
        "flush_by_ns",
        "long_slice_ns",
        "serving",
        "slice_ns",
    )

    def __init__(self) -> None:
        self.door = Account()
        self.serving = False
        self.at_once_ns: int = 1_000_000
        self.slice_ns: int = 100_000
        self.long_slice_ns: int = 4_000_000
        self.flush_by_ns: int = FOR_EVER
        self.flush: Callable[[], None] | None = None
        self.deferred_total = 0
        self._accounts: dict[str, Account] = {}
        self._many = _MANY_ACCOUNTS
        self._line: deque[InLine] = deque()
        self._waking = False
        self._fair = self.door
        self._fair_work = False
        self._fair_until_ns: int = 0
        self._fair_before_ns: int = 0  # of another than `_fair`

    def account_of(self, user: str) -> Account:
        account = self._accounts.get(user)
        if account is None:
            if len(self._accounts) >= self._many:
                self._let_go()
            account = self._accounts[user] = Account()
        return account

    def _let_go(self) -> None:
        """Of accounts in which nothing is due; who holds one still may keep it."""
        now_ns = perf_counter_ns()
        self._accounts = {user: each for user, each in self._accounts.items() if each.due_ns > now_ns}
        self._many = max(_MANY_ACCOUNTS, 2 * len(self._accounts))

    def defers(self, account: Account, now_ns: int) -> bool:
        """Whether it has to stand in line: it is above its share, and others who are not are at work."""
        return account.due_ns - now_ns > _BURST_NS and self._others_are_at_work(account, now_ns)

    def until_ns(self, account: Account | None, now_ns: int) -> int:
        """The end of a slice that begins now, for `account` or for all who stand in line."""
        return now_ns + (self.slice_ns if self._others_are_at_work(account, now_ns) else self.long_slice_ns)

    def _others_are_at_work(self, account: Account | None, now_ns: int) -> bool:
        """Who are within their share."""
        until_ns = self._fair_before_ns if account is self._fair else self._fair_until_ns
        return until_ns > now_ns

    def charge(self, account: Account, began_ns: int, now_ns: int) -> None:
        """For work that was done from `began_ns` until now."""
        ahead_ns = max(account.due_ns - now_ns, 0) + (now_ns - began_ns) * _SHARE
        account.due_ns = now_ns + min(ahead_ns, _MOST_AHEAD_NS)
        if ahead_ns <= _BURST_NS:
            if account is not self._fair:
                self._fair = account
                self._fair_before_ns = self._fair_until_ns
            self._fair_until_ns = now_ns + _RECENT_NS
            self._fair_work = True

    def flush_late(self, now_ns: int) -> None:
        """To be called between the sockets of a turn of the loop."""
        if now_ns > self.flush_by_ns and not self.serving and self.flush is not None:
            self.flush()

    def note(self, account: Account, cost_ns: int) -> None:
        """For work of about that cost, which is done by others."""
        now_ns = perf_counter_ns()
        self.charge(account, now_ns - cost_ns, now_ns)

    async def turn(self, account: Account) -> None:
        """At once where `account` need not stand in line; otherwise when it has its turn."""
        if self.defers(account, perf_counter_ns()):
            await self.stand()

    async def stand(self) -> None:
        """Until all who stand in line before had their turns."""
        turn = Turn()
        self.wait(turn)
        await turn.came

    def wait(self, waiter: InLine) -> None:
        """Let it have a turn, once all who stand in line before it had theirs."""
        self.deferred_total += 1
        self._line.append(waiter)
        if not self._waking:
            self._waking = True
            self._soon(self._serve)

    def _serve(self) -> None:
        if self._fair_work:
            self._fair_work = False
            self._soon(self._serve_slice)  # behind what that work has begun, such as a flush
        else:
            self._serve_slice()

    def _serve_slice(self) -> None:
        until_ns = self.until_ns(None, perf_counter_ns())
        line = self._line
        more_follows = False
        for _ in range(len(line)):
            more_follows = self._serve_one(line.popleft(), until_ns)
            if more_follows or perf_counter_ns() >= until_ns:
                break
        if not line:
            self._waking = False
        elif more_follows:
            self._soon(partial(self._soon, self._serve))
        else:
            self._soon(self._serve)

    def _soon(self, work: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon(work)

    def _serve_one(self, waiter: InLine, until_ns: int) -> bool:
        """What nobody foresaw is not the end of the line."""
        self.serving = True
        try:
            return waiter.take_turn(until_ns)
        except Exception as error:  # noqa: BLE001
            asyncio.get_running_loop().call_exception_handler(
                {"message": "A turn failed", "exception": error}
            )
            return False
        finally:
            self.serving = False

    def stats(self) -> dict[str, float]:
        return {"turns_deferred_total": self.deferred_total, "turns_waiting": len(self._line)}
