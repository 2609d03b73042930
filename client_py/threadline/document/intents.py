"""What devices ask for. An intent is one JSON value, written once, so it is there complete or not at all.

Whoever decides it removes it: what is left in the document is what is not decided yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeAlias

from threadline.document.shared_map import SharedMap, keys_of, value_at
from threadline.document.values import JSON, mapping_of, number_of, plain, strings_of, text_of, to_json
from threadline.ids import owner_of


class IntentKind(StrEnum):
    RUN = "run"
    CANCEL = "cancel"
    APPROVAL = "approval"
    TITLE = "title"


class OnBusy(StrEnum):
    """What happens to a run that is asked for while another is active."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"
    STEER = "steer"


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """`at` is the device's clock in Unix milliseconds. The asking user is the owner of the id."""

    id: str
    device: str = ""
    at: int = 0

    @property
    def user(self) -> str:
        return owner_of(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIntent(_Asked):
    """Start a run, in answer to `message` or toward `goal`. The run will have the intent's id."""

    kind: ClassVar[IntentKind] = IntentKind.RUN
    message: str | None = None
    agent: str = ""
    goal: str = ""
    context: JSON = None
    limits: dict[str, JSON] = field(default_factory=dict)
    on_busy: OnBusy = OnBusy.ENQUEUE
    tools: tuple[str, ...] | None = None
    model: str | None = None
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelIntent(_Asked):
    kind: ClassVar[IntentKind] = IntentKind.CANCEL
    run: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalIntent(_Asked):
    """Decide a pending call. `arguments_hash` names the arguments that were shown; if they changed, it is
    void.
    """

    kind: ClassVar[IntentKind] = IntentKind.APPROVAL
    run: str
    call: str
    decision: Verdict
    arguments_hash: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleIntent(_Asked):
    kind: ClassVar[IntentKind] = IntentKind.TITLE
    title: str


Intent: TypeAlias = RunIntent | CancelIntent | ApprovalIntent | TitleIntent


class Intents:
    """All intents of a session. They carry no order of their own: whoever decides knows the log's."""

    def __init__(self, entries: SharedMap) -> None:
        self._map = entries

    def ids(self) -> list[str]:
        return keys_of(self._map)

    def get(self, intent_id: str) -> Intent | None:
        """None where it is missing or not an intent that this version knows."""
        return read_intent(intent_id, value_at(self._map, intent_id))

    def add(self, intent: Intent) -> None:
        """Write an intent, once. Raises NotSerializable; ValueError where the id is taken."""
        if intent.id in self._map:
            raise ValueError(f"The intent {intent.id} was already written.")
        self._map[intent.id] = to_json(write_intent(intent), f"/{intent.kind}")

    def remove(self, intent_id: str) -> None:
        """Take away an intent that was decided. Only the server may."""
        if intent_id in self._map:
            del self._map[intent_id]

    def by_time(self) -> list[Intent]:
        """Every readable intent by the clock of its device: the best order where the log's is not known."""
        found = [intent for intent in map(self.get, self.ids()) if intent is not None]
        return sorted(found, key=lambda intent: (intent.at, intent.id))


def write_intent(intent: Intent) -> dict[str, JSON]:
    """The JSON value of an intent; fields at their defaults are left out."""
    value: dict[str, JSON] = {"kind": str(intent.kind), "device": intent.device, "at": intent.at}
    match intent:
        case RunIntent():
            optional: dict[str, object] = {
                "message": intent.message,
                "agent": intent.agent,
                "goal": intent.goal,
                "context": intent.context,
                "limits": intent.limits,
                "on_busy": str(intent.on_busy),
                "model": intent.model,
                "system": intent.system,
            }
            value |= {key: to_json(item, f"/{key}") for key, item in optional.items() if item}
            if intent.tools is not None:
                value["tools"] = list(intent.tools)
        case CancelIntent():
            value |= {"run": intent.run, "reason": intent.reason}
        case ApprovalIntent():
            value |= {"run": intent.run, "call": intent.call, "decision": str(intent.decision)}
            value |= {"arguments_hash": intent.arguments_hash, "reason": intent.reason}
        case TitleIntent():
            value["title"] = intent.title
    return value


def read_intent(intent_id: str, value: object) -> Intent | None:
    """An intent from its JSON value, or None where it is not one; unknown fields are ignored."""
    fields = mapping_of(plain(value))
    device, at = text_of(fields.get("device")), number_of(fields.get("at"))
    run = text_of(fields.get("run"))
    match fields.get("kind"):
        case IntentKind.RUN:
            return _read_run(intent_id, device, at, fields)
        case IntentKind.CANCEL if run:
            return CancelIntent(
                id=intent_id, device=device, at=at, run=run, reason=text_of(fields.get("reason"))
            )
        case IntentKind.APPROVAL if run and fields.get("decision") in set(Verdict):
            return ApprovalIntent(
                id=intent_id,
                device=device,
                at=at,
                run=run,
                call=text_of(fields.get("call")),
                decision=Verdict(text_of(fields.get("decision"))),
                arguments_hash=text_of(fields.get("arguments_hash")),
                reason=text_of(fields.get("reason")),
            )
        case IntentKind.TITLE if isinstance(fields.get("title"), str):
            return TitleIntent(id=intent_id, device=device, at=at, title=text_of(fields.get("title")))
    return None


def _read_run(intent_id: str, device: str, at: int, fields: dict[str, JSON]) -> RunIntent:
    on_busy = text_of(fields.get("on_busy"), OnBusy.ENQUEUE)
    return RunIntent(
        id=intent_id,
        device=device,
        at=at,
        message=text_of(fields.get("message")) or None,
        agent=text_of(fields.get("agent")),
        goal=text_of(fields.get("goal")),
        context=fields.get("context"),
        limits=mapping_of(fields.get("limits")),
        on_busy=OnBusy(on_busy) if on_busy in set(OnBusy) else OnBusy.ENQUEUE,
        tools=strings_of(fields.get("tools")) if isinstance(fields.get("tools"), list) else None,
        model=text_of(fields.get("model")) or None,
        system=text_of(fields.get("system")),
    )
