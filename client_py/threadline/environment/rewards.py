"""Numbers over many rollouts, as NeMo Gym's reward profile gives them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TASK = "_ng_task_index"
ROLLOUT = "_ng_rollout_index"


def aggregate(verified: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, max, min, median and sample standard deviation of every number, by task and overall."""
    if not verified:
        return {"group_level_metrics": [], "agent_metrics": {}, "key_metrics": {}}
    tasks = sorted({int(row.get(TASK, 0)) for row in verified})
    groups = [_of_task(task, [row for row in verified if row.get(TASK, 0) == task]) for task in tasks]
    overall = _described(verified)
    key = {name: value for name, value in overall.items() if name.startswith("mean/")}
    return {"group_level_metrics": groups, "agent_metrics": overall, "key_metrics": key}


def _of_task(task: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    infos = [{ROLLOUT: row.get(ROLLOUT, 0), **_numbers(row)} for row in rows]
    return {
        TASK: task,
        **_described(rows),
        "sample": {"agent_ref": {"name": "agent"}},
        "num_rollouts": len(rows),
        "expected_num_rollouts": len(rows),
        "missing_num_rollouts": 0,
        "reward_profile_completion_pct": 100.0,
        "rollout_infos": sorted(infos, key=lambda info: info[ROLLOUT]),
    }


def _described(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in _numbers(row).items():
            columns.setdefault(name, []).append(value)
    return {key: value for name, values in columns.items() for key, value in _statistics(name, values)}


def _statistics(name: str, values: list[float]) -> list[tuple[str, float]]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return [
        (f"mean/{name}", statistics.fmean(values)),
        (f"max/{name}", max(values)),
        (f"min/{name}", min(values)),
        (f"median/{name}", statistics.median(values)),
        (f"std/{name}", deviation),
    ]


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a rollout and of its model's usage; what is no number is left out."""
    response = row.get("response")
    usage = response.get("usage") if isinstance(response, Mapping) else None
    given = {**row, **(usage if isinstance(usage, Mapping) else {})}
    return {
        name: float(value)
        for name, value in given.items()
        if isinstance(value, int | float) and name not in (TASK, ROLLOUT)
    }
