"""The transcript as a tree: a message that was edited or answered again has versions, and one is followed.

A reply's `parent` is its question. A question's `parent` is the message that it follows, `start` for none;
without one it follows the question before it in transcript order, or the answer to that. So replies stand
after their questions, however quickly these were asked, and a question with the parent of another is a
version of it.
What is neither a question nor the reply to one stands after the message that it came after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from threadline.document.messages import Message, MessageRole

START = "start"
"""The `parent` of a version of the first question."""


def line_before(messages: Sequence[Message], question: str) -> list[Message]:
    """What leads to a question among `messages`, which are in transcript order: itself and what answers it
    left out. All that came before it where it is not among them.
    """
    tree = _Tree(messages)
    if question not in tree.parents:
        return list(messages)
    above: list[str] = []
    at = tree.parents[question]
    while at != START:
        above.append(at)
        at = tree.parents[at]
    by_id = {message.id: message for message in messages}
    line = list(tree.notes[START])
    for message_id in reversed(above):
        line += [by_id[message_id], *tree.notes[message_id]]
    return line


class _Tree:
    """parents:  what each question and each reply follows
    notes:    what came after a message without belonging to a question
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self.parents: dict[str, str] = {}
        self.notes: dict[str, list[Message]] = defaultdict(list)
        self._order = {message.id: place for place, message in enumerate(messages)}
        self._replies: dict[str, list[str]] = defaultdict(list)
        question_of = {message.id: self._question_of(message, messages) for message in messages}
        for reply, asked in question_of.items():
            if asked is not None:
                self._replies[asked].append(reply)
        question, before = START, START
        for message in messages:
            asked = question_of[message.id]
            if _is_question(message):
                self.parents[message.id] = self._followed(message, question)
                question = message.id
            elif asked is not None:
                self.parents[message.id] = asked
            else:
                self.notes[before].append(message)
                continue
            before = message.id

    def _question_of(self, message: Message, messages: Sequence[Message]) -> str | None:
        """The question that `message` replies to, None for none before it."""
        place = self._order.get(message.parent or "")
        if _is_question(message) or place is None or place > self._order[message.id]:
            return None
        return message.parent if _is_question(messages[place]) else None

    def _followed(self, message: Message, question: str) -> str:
        """Only what has its place already counts, replies apart, so that no circle can arise."""
        if message.parent == START:
            return START
        followed = message.parent if message.parent in self.parents else question
        answers = self._replies.get(followed, [])
        earlier = [answer for answer in answers if self._order[answer] < self._order[message.id]]
        return earlier[-1] if earlier else answers[0] if answers else followed


def _is_question(message: Message) -> bool:
    return message.role == MessageRole.USER
