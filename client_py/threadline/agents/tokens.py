"""Counting tokens, and saying where a number comes from.

`reported` is what a model said it used, `exact` what its own tokeniser makes of the text, `estimate` neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from threadline.agents.driver import Turn
from threadline.transcript import TOKENS_PER_MESSAGE, estimate_tokens

Source: TypeAlias = Literal["reported", "exact", "estimate"]


@dataclass(frozen=True, slots=True)
class TokenCount:
    tokens: int
    source: Source

    def __int__(self) -> int:
        return self.tokens


class Tokeniser(Protocol):
    """A model's own, such as an encoding of `tiktoken`."""

    def encode(self, text: str) -> Iterable[Any]: ...


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts texts and histories; `exact` where it was made of a tokeniser."""

    of_text: Callable[[str], int] = estimate_tokens
    source: Source = "estimate"

    @classmethod
    def of(cls, tokeniser: Tokeniser) -> TokenCounter:
        return cls(lambda text: len(list(tokeniser.encode(text))), "exact")

    def text(self, text: str) -> TokenCount:
        return TokenCount(self.of_text(text), self.source)

    def turns(self, turns: Iterable[Turn]) -> TokenCount:
        """Of a history, with what chat formats add around each message."""
        total = sum(TOKENS_PER_MESSAGE + self.of_text(turn.content) for turn in turns)
        return TokenCount(total, self.source)


ESTIMATE = TokenCounter()
