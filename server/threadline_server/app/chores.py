"""The rounds of upkeep that a core makes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from threadline_server.app.clock import unix_ms
from threadline_server.backplane.base import Backplane
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.sealed import SealedBackplane
from threadline_server.edge import device_links, invitations, kept_tokens, tickets
from threadline_server.edge.http import idempotency
from threadline_server.runs import roster, tally
from threadline_server.runs.abandoned import AbandonedRuns
from threadline_server.runs.options import RunOptions
from threadline_server.upkeep.expiring_keys import ExpiringKeys
from threadline_server.upkeep.expiry import Expiry
from threadline_server.upkeep.long_tails import LongTails
from threadline_server.upkeep.rounds import Chore, Seldom

if TYPE_CHECKING:
    from threadline_server.app.core import Core

COOLED_PER_ROUND = 500
ROUNDS_TO_OBJECT = 4
LATELY_S = 86_400.0
RECORDS_EVERY = 120
"""Rounds between two looks at what is many and lasts for a day or longer."""

_SOON_OVER = (tickets.KIND, invitations.KIND, kept_tokens.KIND, device_links.KIND, roster.KIND)
_KEPT_LONG = (idempotency.KIND, tally.KIND)


def chores_of(core: Core) -> dict[str, Chore]:
    """What a core does once in each round of upkeep, as its settings want it."""
    chores: dict[str, Chore] = {"ledger": partial(_sweep, core.backplane, _SOON_OVER)}
    settings = core.settings
    chores["records"] = Seldom(partial(_sweep, core.backplane, _KEPT_LONG), RECORDS_EVERY).round
    if settings.redis:
        chores["book"] = core.book.announce
    if settings.expire_after_s:
        chores["expiry"] = _expiry(core).round
    chores["keys"] = ExpiringKeys(core.rooms, unix_ms).round
    since_s = min(LATELY_S, settings.cold_after_s / 2 or LATELY_S)
    chores["tails"] = LongTails(core.backplane, core.rooms, since_s=since_s, now_ms=unix_ms).round
    runs = settings.pick(RunOptions)
    if runs.abandon_runs_after_s:
        chores["runs"] = AbandonedRuns(core.backplane, core.rooms, runs, unix_ms).round
    store = core.backplane.inner if isinstance(core.backplane, SealedBackplane) else core.backplane
    if isinstance(store, RedisBackplane) and settings.objects and settings.cold_after_s:
        chores["cold"] = partial(_cool, store, round(settings.cold_after_s * 1000))
    return chores


def _expiry(core: Core) -> Expiry:
    settings = core.settings
    return Expiry(
        core.backplane,
        after_s=settings.expire_after_s,
        now_ms=unix_ms,
        in_use=core.in_use,
        announce_s=ROUNDS_TO_OBJECT * settings.upkeep_every_s if settings.redis else 0.0,
    )


async def _sweep(backplane: Backplane, kinds: Sequence[str]) -> None:
    """Remove what ended by itself; listing does that."""
    for kind in kinds:
        await backplane.list_values(kind)


async def _cool(backplane: RedisBackplane, idle_ms: int) -> int:
    return await backplane.cool_idle(unix_ms() - idle_ms, COOLED_PER_ROUND)
