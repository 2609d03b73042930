"""Context windows: which part of a history an agent is given. The transcript itself stays as it is."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio.to_thread

from threadline.agents.driver import Turn
from threadline.agents.either import awaited
from threadline.agents.tokens import ESTIMATE, TokenCounter
from threadline.errors import ConfigurationError

Summarise = Callable[[Sequence[Turn]], str | Awaitable[str]]

SUMMARY = "Summary of the conversation so far:\n"
_MAX_SUMMARY_CHARS = 1200
_MAX_CACHED_SUMMARIES = 256
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{3,}")


class Window(Protocol):
    async def select(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """What of `turns`, oldest first, the agent is given. The last turn is what it is asked."""


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """The last `keep` messages."""

    keep: int = 10

    async def select(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        return turns[-self.keep :]


@dataclass(slots=True)
class SummaryWindow:
    """A summary of what is older, then the last `keep` messages.

    `summarise` gets the older turns and gives a text; without one, the sentences are taken whose words are
    said most. Summaries are kept, so a window that did not move costs nothing again.
    """

    keep: int = 10
    summarise: Summarise | None = None
    _kept: OrderedDict[int, str] = field(default_factory=OrderedDict)

    async def select(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        older, recent = turns[: -self.keep], turns[-self.keep :]
        if not older:
            return recent
        return [Turn("system", SUMMARY + await self._summary(older)), *recent]

    async def _summary(self, older: Sequence[Turn]) -> str:
        key = hash(tuple((turn.role, turn.content) for turn in older))
        if key not in self._kept:
            self._kept[key] = await awaited((self.summarise or extract)(older))
            if len(self._kept) > _MAX_CACHED_SUMMARIES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


@dataclass(frozen=True, slots=True)
class SemanticWindow:
    """The last `keep` messages, and before them, in their order, up to `relevant` older ones that have to do
    with what is asked (BM25).
    """

    keep: int = 6
    relevant: int = 6

    async def select(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        older, recent = turns[: -self.keep], turns[-self.keep :]
        asked = next((turn.content for turn in reversed(turns) if turn.role == "user"), "")
        if not older or not asked:
            return recent
        places = await anyio.to_thread.run_sync(
            _most_relevant, [turn.content for turn in older], asked, self.relevant
        )
        return [*(older[place] for place in sorted(places)), *recent]


@dataclass(frozen=True, slots=True)
class CompactAbove:
    """Everything, until it is more than `max_tokens`; from then on what `then` selects."""

    max_tokens: int
    then: Window = field(default_factory=SummaryWindow)
    counter: TokenCounter = ESTIMATE

    async def select(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        if self.counter.turns(turns).tokens <= self.max_tokens:
            return turns
        return await self.then.select(turns)


def extract(turns: Sequence[Turn]) -> str:
    """The sentences whose words come up most, in their order, up to about 1,200 characters."""
    sentences = [
        f"{turn.role}: {match.group().strip()}"
        for turn in turns
        for match in _SENTENCE.finditer(turn.content)
        if match.group().strip()
    ]
    weight = Counter(word.casefold() for sentence in sentences for word in _WORD.findall(sentence))
    ranked = sorted(range(len(sentences)), key=lambda place: (-_score(sentences[place], weight), place))
    chosen, room = [], _MAX_SUMMARY_CHARS
    for place in ranked:
        if len(sentences[place]) <= room:
            chosen.append(place)
            room -= len(sentences[place]) + 1
    return "\n".join(sentences[place] for place in sorted(chosen))


def _score(sentence: str, weight: Counter[str]) -> float:
    words = {word.casefold() for word in _WORD.findall(sentence)}
    return sum(weight[word] for word in words) / (len(words) + 3)


def _most_relevant(corpus: list[str], asked: str, most: int) -> list[int]:
    """Places in `corpus` that share rare words with `asked`, the best first."""
    try:
        import bm25s
    except ImportError:
        raise ConfigurationError("SemanticWindow needs bm25s: pip install 'threadline[agents]'.") from None
    words = bm25s.tokenize(corpus, stopwords="en", show_progress=False, return_ids=False)
    query = bm25s.tokenize([asked], stopwords="en", show_progress=False, return_ids=False)
    if not any(words) or not query[0]:
        return []
    index = bm25s.BM25()
    index.index(words, show_progress=False)
    scores = index.get_scores(query[0])
    ranked = sorted(range(len(corpus)), key=lambda place: -scores[place])
    return [place for place in ranked[:most] if scores[place] > 0]
