"""The rows of the budget table: what is measured, in which unit, against which bound."""

from __future__ import annotations

from dataclasses import dataclass

LARGER, SMALLER = "larger is better", "smaller is better"


@dataclass(frozen=True)
class Row:
    """One measurement of one scenario. `budget` bounds the ratio of ours to the best peer's figure, or to our
    own in the scenario `against`."""

    key: str
    title: str
    scenario: str
    figure: str  # a field of the load generator's report
    unit: str
    better: str
    budget: float | None = None
    aim: float | None = None
    absolute_budget: float | None = None  # bounds our own figure, in `unit`
    against: str = ""

    def ratio(self, ours: float, other: float) -> float:
        return ours / other if other else float("inf")

    def holds(self, ratio: float | None, ours: float) -> bool:
        """Whether each bound that this row states is met. Without a peer's figure a ratio is not met."""
        if self.budget is not None and (ratio is None or not self._within(ratio, self.budget)):
            return False
        return self.absolute_budget is None or self._within(ours, self.absolute_budget)

    def _within(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.better == LARGER else figure <= bound


@dataclass(frozen=True)
class Scenario:
    """Arguments for the load generator. `seconds` may be shortened by a quick run.

    updates, history:  files of `make_updates.py`: what is sent, and what a session has before
    nodes:             0 with the store embedded, else how many share a Redis; of each two, writers are at the
                       first and readers at the second, with sessions of their own
    spread:            servers run on every core, beside the generator
    ours:              only this server is measured
    sync_us:           how long a sync of the disk takes at least
    """

    key: str
    arguments: tuple[str, ...]
    seconds: float = 4.0
    quick: bool = True
    dialect: str = "yws"
    updates: str = "small.bin"
    history: str = ""
    nodes: int = 0
    spread: bool = False
    ours: bool = False
    sync_us: int = 0

    @property
    def readers(self) -> int:
        """Of one session, those that read."""
        given = dict(zip(self.arguments[::2], self.arguments[1::2], strict=True))
        return int(given.get("--readers", "0")) - int(given.get("--frozen", "0"))


SCALE = ("--mode", "rate", "--readers", "4", "--rate", "20")
SCENARIOS = (
    Scenario("fan10", ("--mode", "sat", "--readers", "10", "--window", "64")),
    Scenario("fan100", ("--mode", "sat", "--readers", "100", "--window", "64")),
    Scenario("fan1000", ("--mode", "sat", "--readers", "1000", "--window", "64"), quick=False),
    Scenario("fan100w1", ("--mode", "sat", "--readers", "100", "--window", "1")),
    Scenario("sessions500", ("--mode", "sat", "--rooms", "500", "--readers", "1", "--window", "4")),
    Scenario(
        "sessions50", ("--mode", "sat", "--rooms", "50", "--readers", "1", "--window", "4"), quick=False
    ),
    Scenario("latency100", ("--mode", "rate", "--readers", "100", "--rate", "50")),
    Scenario(
        "agents200",
        ("--mode", "rate", "--rooms", "200", "--readers", "2", "--rate", "50"),
        updates="tokens.bin",
    ),
    Scenario("join10k", ("--mode", "join", "--joins", "15", "--storm", "50"), seconds=0),
    Scenario("idle1", ("--mode", "idle", "--rooms", "1", "--readers", "999"), seconds=0),
    Scenario("idle1000", ("--mode", "idle", "--rooms", "1000", "--readers", "0"), seconds=0),
    Scenario("acks", ("--mode", "rate", "--readers", "1", "--rate", "100"), dialect="hocus"),
    Scenario(
        "acks100",
        ("--mode", "sat", "--rooms", "100", "--readers", "0", "--window", "4"),
        dialect="hocus",
        ours=True,
    ),
    Scenario(
        "acks15k",
        ("--mode", "rate", "--rooms", "100", "--readers", "0", "--rate", "150"),
        dialect="hocus",
        ours=True,
    ),
    Scenario(
        "acks15k4ms",
        ("--mode", "rate", "--rooms", "100", "--readers", "0", "--rate", "150"),
        dialect="hocus",
        ours=True,
        sync_us=4_000,
    ),
    Scenario("nodes2", ("--mode", "rate", "--readers", "10", "--rate", "50"), nodes=2),
    Scenario("nodes2sat", ("--mode", "sat", "--readers", "10", "--window", "64"), nodes=2),
    Scenario("scale1", (*SCALE, "--rooms", "80"), nodes=1, spread=True, quick=False, ours=True),
    Scenario("scale2", (*SCALE, "--rooms", "80"), nodes=2, spread=True, quick=False, ours=True),
    Scenario("scale4", (*SCALE, "--rooms", "40"), nodes=4, spread=True, quick=False, ours=True),
    Scenario(
        "history1k",
        ("--mode", "sat", "--readers", "10", "--window", "8"),
        history="history_1k.bin",
        ours=True,
    ),
    Scenario(
        "history100k",
        ("--mode", "sat", "--readers", "10", "--window", "8"),
        quick=False,
        history="history_100k.bin",
        ours=True,
    ),
    Scenario(
        "reading50",
        ("--mode", "rate", "--readers", "50", "--rate", "100"),
        seconds=8,
        updates="large.bin",
        quick=False,
        ours=True,
    ),
    Scenario(
        "frozen5",
        ("--mode", "rate", "--readers", "50", "--rate", "100", "--frozen", "5"),
        seconds=8,
        updates="large.bin",
        quick=False,
        ours=True,
    ),
)

ROWS = (
    Row("fan10", "fan-out 1 to 10", "fan10", "del_s", "deliveries/s", LARGER, 5.0, 8.0),
    Row("fan100", "fan-out 1 to 100", "fan100", "del_s", "deliveries/s", LARGER, 3.0, 5.0),
    Row("fan1000", "fan-out 1 to 1,000", "fan1000", "del_s", "deliveries/s", LARGER, 2.0, 2.5),
    Row("fan100w1", "fan-out 1 to 100, 1 outstanding", "fan100w1", "del_s", "deliveries/s", LARGER, 1.1, 1.4),
    Row("sessions500", "500 sessions x 2 devices", "sessions500", "del_s", "deliveries/s", LARGER, 3.0, 8.0),
    Row("latency_p50", "latency 1 to 100 at 50/s, p50", "latency100", "p50_us", "us", SMALLER, 0.75, 0.5),
    Row("latency_p99", "latency 1 to 100 at 50/s, p99", "latency100", "p99_us", "us", SMALLER, 0.5, 0.25),
    Row(
        "agents_cpu",
        "200 agents at 50 tokens/s, CPU a delivery",
        "agents200",
        "us_per_delivery",
        "us",
        SMALLER,
        0.7,
        0.45,
    ),
    Row(
        "agents_p99",
        "200 agents at 50 tokens/s, p99",
        "agents200",
        "p99_us",
        "us",
        SMALLER,
        absolute_budget=3000,
    ),
    Row(
        "runs50",
        "50 runs on one worker at 50 tokens/s, 100 devices: worst gap, p99",
        "runs50",
        "gap_p99_ms",
        "ms",
        SMALLER,
        absolute_budget=250,
    ),
    Row("join", "join of 10,000 messages, p50", "join10k", "join_ms_p50", "ms", SMALLER, 1 / 3, 1 / 8),
    Row("storm", "storm of 50 joins", "join10k", "storm_s", "s", SMALLER, 1 / 2.5, 1 / 4),
    Row("idle_connection", "memory per connection", "idle1", "kb_per_conn", "KB", SMALLER, absolute_budget=6),
    Row("idle_session", "memory per session", "idle1000", "kb_per_conn", "KB", SMALLER, absolute_budget=12),
    Row("connects", "authenticated connections/s", "idle1", "connect_per_s", "1/s", LARGER, 0.8, 1.0),
    Row("ack_p50", "acknowledgement (fsync), p50", "acks", "ack_p50_us", "us", SMALLER),
    Row(
        "acks_s",
        "durable acknowledgements, 100 writers",
        "acks100",
        "acks_s",
        "1/s",
        LARGER,
        absolute_budget=15_000,
    ),
    Row(
        "ack_syncs",
        "100 writers at 15,000/s, p50 in syncs of this disk",
        "acks15k",
        "ack_syncs",
        "syncs",
        SMALLER,
        absolute_budget=2,
    ),
    Row(
        "ack_slow_syncs",
        "the same on a disk that takes 4 ms for a sync",
        "acks15k4ms",
        "ack_syncs",
        "syncs",
        SMALLER,
        absolute_budget=2,
    ),
    Row("nodes2_p50", "two nodes through Redis, p50", "nodes2", "p50_us", "us", SMALLER, 0.35, 0.2),
    Row("nodes2_sat", "two nodes through Redis", "nodes2sat", "del_s", "deliveries/s", LARGER, 6.0, 15.0),
    Row(
        "scale2",
        "CPU a delivery, 2 nodes against 1",
        "scale2",
        "us_per_delivery",
        "us",
        SMALLER,
        against="scale1",
    ),
    Row(
        "scale4",
        "CPU a delivery, 4 nodes against 2",
        "scale4",
        "us_per_delivery",
        "us",
        SMALLER,
        against="scale2",
    ),
    Row(
        "history",
        "CPU an update, 100,000 messages against 1,000",
        "history100k",
        "us_per_update",
        "us",
        SMALLER,
        1.2,
        1.0,
        against="history1k",
    ),
    Row(
        "index_bytes",
        "item index, bytes an item",
        "index",
        "bytes_per_item",
        "B",
        SMALLER,
        absolute_budget=16,
    ),
    Row(
        "index_build", "item index of 10,000 messages", "index", "build_s", "s", SMALLER, absolute_budget=0.1
    ),
    Row(
        "frozen5",
        "p99 of 45 members beside 5 frozen, against none frozen",
        "frozen5",
        "p99_us",
        "us",
        SMALLER,
        1.5,
        against="reading50",
    ),
)
