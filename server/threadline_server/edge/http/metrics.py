"""`/api/v1/metrics`: how the runs of a period went."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from threadline.errors import ProtocolError
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented

LONGEST = timedelta(days=90)


class Count(Protocol):
    """Of runs that ended: durations in milliseconds, rates in percent, None where there were none."""

    runs: int
    completed: int
    failed: int
    cancelled: int
    tokens: int
    cost_usd: float

    @property
    def avg_duration_ms(self) -> float | None: ...
    @property
    def success_rate(self) -> float | None: ...


CountRuns = Callable[[str | None, str | None, datetime, datetime], Awaitable[Count]]
"""Of a user (None: of everybody) and an agent (None: of all) between two times."""


class UnknownMetric(ProtocolError):
    """There is no such metric."""

    code = "unknown_metric"


class PeriodTooLong(ProtocolError):
    """The period is longer than numbers are kept."""

    code = "period_too_long"


class MetricsView(BaseModel):
    """What was asked for; the others are null. `avg_duration` is in milliseconds, `success_rate` in percent,
    both null where no run ended. Runs are counted by whole hours, so a period begins with one.
    """

    agent_id: str | None
    period: str
    sessions_total: int | None = None
    sessions_completed: int | None = None
    sessions_failed: int | None = None
    sessions_cancelled: int | None = None
    avg_duration: float | None = None
    success_rate: float | None = None
    tokens_used: int | None = None
    cost_usd: float | None = None


NAMES = tuple(name for name in MetricsView.model_fields if name not in ("agent_id", "period"))


def metrics_routes(count: CountRuns, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["metrics"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.get("/metrics", responses=documented(HTTPStatus.BAD_REQUEST))
    async def metrics(
        me: Me,
        agent_id: Annotated[str | None, Query(max_length=128, description="Default: all agents.")] = None,
        period: Annotated[
            str, Query(pattern=r"^[1-9][0-9]{0,3}[hd]$", description="Hours or days back from now.")
        ] = "7d",
        metrics: Annotated[
            str, Query(max_length=500, description="Names with commas between them; default: all.")
        ] = "",
    ) -> MetricsView:
        """Count the runs that ended in a period: the caller's own, or everybody's where all are trusted."""
        wanted = _names(metrics)
        until = datetime.now(UTC)
        found = await count(access.visible_to(me), agent_id, until - _length(period), until)
        told = {
            "sessions_total": found.runs,
            "sessions_completed": found.completed,
            "sessions_failed": found.failed,
            "sessions_cancelled": found.cancelled,
            "avg_duration": found.avg_duration_ms,
            "success_rate": found.success_rate,
            "tokens_used": found.tokens,
            "cost_usd": found.cost_usd,
        }
        return MetricsView(
            agent_id=agent_id,
            period=period,
            **{name: told[name] for name in wanted},  # type: ignore[arg-type]
        )

    return router


def _names(text: str) -> Sequence[str]:
    names = [name for name in map(str.strip, text.split(",")) if name]
    for name in names:
        if name not in NAMES:
            raise UnknownMetric(f"There is no metric {name!r}; there are {', '.join(NAMES)}.")
    return names or NAMES


def _length(period: str) -> timedelta:
    number = int(period[:-1])
    length = timedelta(hours=number) if period.endswith("h") else timedelta(days=number)
    if length > LONGEST:
        raise PeriodTooLong(f"Numbers are kept for {LONGEST.days} days; ask for a shorter period.")
    return length
