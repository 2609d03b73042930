"""What a device in a terminal shows: a session as lines, each piece of it once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from threadline.document.approvals import Approval, ApprovalStatus
from threadline.document.messages import Message, MessageStatus
from threadline.document.runs import Run
from threadline.document.steps import StepType
from threadline.live_session import LiveSession

Write = Callable[[str], None]

_AFTERMATH = {
    MessageStatus.STOPPED: "stopped",
    MessageStatus.FAILED: "failed",
}


@dataclass(slots=True)
class ChatScreen:
    """`show` writes what is new since it was last called.

    own:    ids of messages typed here, which are on the screen already
    open:   the message that is being written, whose line has not ended
    """

    session: LiveSession
    write: Write
    own: set[str] = field(default_factory=set)
    _open: str = ""
    _later: list[str] = field(default_factory=list)
    _shown: dict[str, str] = field(default_factory=dict)
    _steps: dict[str, int] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _last: dict[str, object] = field(default_factory=dict)

    def show(self) -> None:
        self._show_connection()
        self._show_presence()
        for message in self.session.messages[:]:
            if message.id not in self.own:
                self._show_message(message)
        for run in self.session.runs:
            self._show_run(run)
        self._show_saved()

    def note(self, text: str) -> None:
        """A line that is not part of the conversation."""
        self._end_line()
        self.write(f"· {text}\n")

    def _note_later(self, text: str) -> None:
        """As `note`, but not in the middle of a message that is being written."""
        if self._open:
            self._later.append(text)
        else:
            self.note(text)

    def _show_message(self, message: Message) -> None:
        shown = self._shown.get(message.id)
        if shown is None:
            self._end_line()
            self.write(f"{message.author.name or message.author.user}: ")
            self._open = message.id
            shown = self._shown[message.id] = ""
        self._grow(message, shown)
        if message.id == self._open and message.status != MessageStatus.STREAMING:
            self._end_line(_AFTERMATH.get(MessageStatus(message.status), ""))

    def _grow(self, message: Message, shown: str) -> None:
        if message.text == shown:
            return
        if self._open != message.id:
            self._end_line()
            self.write(f"{message.author.name or message.author.user} (continued): ")
            self._open = message.id
        if message.text.startswith(shown):
            self.write(message.text[len(shown) :])
        else:
            self.write(f"\n{message.text}")
        self._shown[message.id] = message.text

    def _show_run(self, run: Run) -> None:
        seen = self._steps.get(run.id, 0)
        for step in run.steps[seen:]:
            if step.type == StepType.TOOL_CALL:
                self.note(f"{run.agent or 'the agent'} uses {step.name}{_arguments(step.input)}")
        self._steps[run.id] = len(run.steps)
        for approval in run.approvals:
            self._show_approval(run, approval)
        if run.error is not None and f"{run.id} error" not in self._asked:
            self._asked.add(f"{run.id} error")
            self.note(f"the run ended as {run.status}: {run.error.message}")

    def _show_approval(self, run: Run, approval: Approval) -> None:
        key = f"{run.id} {approval.call} {approval.status}"
        if key in self._asked:
            return
        self._asked.add(key)
        if approval.status == ApprovalStatus.PENDING:
            wish = f"{approval.tool}{_arguments(approval.arguments)}"
            self.note(f"{run.agent or 'the agent'} wants to call {wish}: /approve or /reject")
        else:
            self._note_later(f"{approval.tool} was {approval.status}")

    def _show_connection(self) -> None:
        status, problem = self.session.status, self.session.problem
        words = {
            "live": "connected",
            "offline": "offline; what you write is kept and sent later",
            "stopped": problem.sentence if problem is not None else "starting over",
        }
        if status in words and self._is_new("connection", status):
            self.note(words[status])

    def _show_presence(self) -> None:
        users = self.session.presence.users
        if self.session.is_live and users and self._is_new("presence", users):
            self._note_later(f"here: {', '.join(users)}")

    def _show_saved(self) -> None:
        if self.session.is_saved:
            if self._last.get("saved") is False:
                self._note_later("saved")
            self._last["saved"] = True
        elif self._is_new("saved", False):
            self._note_later("saving…")

    def _is_new(self, what: str, value: object) -> bool:
        if self._last.get(what) == value:
            return False
        self._last[what] = value
        return True

    def _end_line(self, word: str = "") -> None:
        if self._open:
            self.write(f" [{word}]\n" if word else "\n")
            self._open = ""
        later, self._later = self._later, []
        for text in later:
            self.write(f"· {text}\n")


def _arguments(arguments: object) -> str:
    if not isinstance(arguments, dict):
        return "()"
    parts = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items()]
    return f"({', '.join(parts)})"
