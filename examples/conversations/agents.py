"""Agents that go by words, so that dialogues are the same every time; their knowledge is in the session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from threadline.agents import Agent, Session, as_agent
from threadline.agents.travel import travel_agent

PROFILES: Mapping[str, Mapping[str, str]] = {"harsh": {"name": "Harsh", "home": "Delhi"}}
"""Stands for a database of users; none of it is copied into a session."""

_ORDER = re.compile(r"\bORDER-\d+\b")
_CITY = re.compile(r"\bto ([A-Z]\w+)")
_DAY = re.compile(r"\b(?:next )?(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE)
_TIME = re.compile(r"\b(?:morning|afternoon|evening)\b", re.IGNORECASE)
_COLOUR = re.compile(r"\b(?:red|green|blue)\b")


def support(messages: list[dict[str, Any]], context: dict[str, Any], session: Session) -> str:
    """Asks for the order once; every later complaint is about that one."""
    words = messages[-1]["content"]
    if found := _ORDER.search(words):
        session.set("order", found[0])
    order = session.get("order")
    if order is None:
        return "Which order is it about?"
    complaints = [*session.get("complaints", []), words]
    session.set("complaints", complaints)
    if len(complaints) == 1:
        return f"I am sorry about {order}. What would you like me to do?"
    return f"About {order}: you told me “{complaints[0]}”. I have added “{words}”."


def code(messages: list[dict[str, Any]], context: dict[str, Any], session: Session) -> str:
    """Writes a component, and edits the one that it wrote."""
    words = messages[-1]["content"]
    colour = _COLOUR.search(words)
    artefact = session.get("component")
    if artefact is None:
        artefact = {"name": "Button", "colour": "grey", "version": 1}
    else:
        changed = {"colour": colour[0]} if colour else {}
        artefact = {**artefact, **changed, "version": artefact["version"] + 1}
    session.set("component", artefact)
    style = f"{{{{ background: '{artefact['colour']}' }}}}"
    return f"```jsx\nexport const {artefact['name']} = () => <button style={style} />\n```"


def flights(messages: list[dict[str, Any]], context: dict[str, Any], session: Session) -> str:
    """Fills the slots of one trip, asks for what is missing, and takes the origin from the profile."""
    words = messages[-1]["content"]
    slots = dict(session.get("flight", {}))
    for name, pattern in (("to", _CITY), ("day", _DAY), ("time", _TIME)):
        if found := pattern.search(words):
            slots[name] = found[1] if name == "to" else found[0].lower()
    session.set("flight", slots)
    for name, question in (("to", "Where to?"), ("day", "On which day?"), ("time", "At what time?")):
        if name not in slots:
            return question
    return f"Booked {context['home']} to {slots['to']}, {slots['day']}, in the {slots['time']}."


def profile(session: Session) -> dict[str, str]:
    """Live context for an answer: who this is, from the database. Nothing of it is stored in the session."""
    return dict(PROFILES.get(session.user_id, {}))


support_agent = as_agent(support)
code_agent = as_agent(code)
flights_agent = Agent(name="flights", driver=as_agent(flights).driver, providers=[profile])
hotels_agent = travel_agent(tokens_per_second=0, name="hotels")
