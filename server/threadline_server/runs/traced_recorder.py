"""A recorder that tells a trace of each step on the way to the one that writes it. Nothing said is in it."""

from __future__ import annotations

from threadline.agents.driver import ToolOutcome
from threadline.agents.execution import Recorder, Word
from threadline.agents.tool import Tool
from threadline.document.runs import Usage
from threadline.document.values import JSON
from threadline_server.telemetry.tracing import Span


class TracedRecorder:
    """`run` is the span of the attempt; each step becomes one within it."""

    def __init__(self, inner: Recorder, run: Span) -> None:
        self._inner = inner
        self._run = run
        self._speech: Span | None = None
        self._saying = ""
        self._calls: dict[str, Span] = {}

    def close(self) -> None:
        """End whatever is open: the attempt is over."""
        self._stop_speech()
        for span in self._calls.values():
            span.end()
        self._calls.clear()

    def thought(self, text: str) -> None:
        self._speak("thinking")
        self._inner.thought(text)

    def said(self, text: str) -> None:
        self._speak("output")
        self._inner.said(text)

    def tool_called(self, call: str, tool: Tool, arguments: JSON) -> None:
        self._stop_speech()
        self._calls[call] = self._run.child("step tool", {"threadline.tool": tool.name})
        self._inner.tool_called(call, tool, arguments)

    def tool_returned(self, outcome: ToolOutcome) -> None:
        self._inner.tool_returned(outcome)
        span = self._calls.pop(outcome.call, None)
        if span is not None:
            if outcome.fault is not None:
                span.fail(outcome.fault.code)
            span.end()

    def tool_known(self) -> None:
        self._stop_speech()
        self._inner.tool_known()

    def used(self, usage: Usage) -> None:
        self._run.note(
            {"threadline.input_tokens": usage.input_tokens, "threadline.output_tokens": usage.output_tokens}
        )
        self._inner.used(usage)

    def ask(self, call: str, tool: Tool, arguments: JSON) -> None:
        self._inner.ask(call, tool, arguments)

    async def approve(self, call: str) -> Word:
        parent = self._calls.get(call, self._run)
        waiting = parent.child("wait for approval", {})
        try:
            word = await self._inner.approve(call)
            waiting.note({"threadline.approved": word.approved})
        finally:
            waiting.end()
        return word

    async def start(self, call: str) -> None:
        await self._inner.start(call)

    def _speak(self, kind: str) -> None:
        if self._saying != kind:
            self._stop_speech()
            self._speech, self._saying = self._run.child(f"step {kind}", {}), kind

    def _stop_speech(self) -> None:
        if self._speech is not None:
            self._speech.end()
        self._speech, self._saying = None, ""
