"""Three small agents of plain functions that go by what their sessions hold: support, code, travel."""

import re
from typing import Any

from threadline.agents import AgentResult, Session, as_agent

Messages = list[dict[str, Any]]


def support(messages: Messages, context: dict[str, Any], session: Session) -> str:
    """Remembers the order that the first complaint was about, and never asks for it again."""
    said = messages[-1]["content"]
    order = re.search(r"ORDER-\d+", said)
    if order is not None:
        session.set("complaint", {"order": order[0], "text": said})
        return f"I am sorry about {order[0]}. I have noted it."
    complaint = session.get("complaint")
    if complaint is None:
        return "Which order is it about?"
    return f"About {complaint['order']}: you said “{complaint['text']}”. I am on it."


def code(messages: Messages, context: dict[str, Any], session: Session) -> AgentResult:
    """Edits the component that it wrote in an earlier turn."""
    said = messages[-1]["content"]
    component = session.get("component")
    if component is None:
        component = {"name": "Button", "color": "grey"}
    elif color := re.search(r"make it (\w+)", said):
        component = {**component, "color": color[1]}
    session.set("component", component)
    source = f'<button className="{component["color"]}">{component["name"]}</button>'
    return AgentResult(text=f"```tsx\n{source}\n```")


def travel(messages: Messages, context: dict[str, Any], session: Session) -> str:
    """Fills slots from what is said, and the origin from the profile, so that it never asks for it."""
    said = messages[-1]["content"]
    slots: dict[str, Any] = session.get("slots", {})
    slots.setdefault("origin", context.get("profile", {}).get("home"))
    if found := re.search(r"to (\w+)", said):
        slots["destination"] = found[1]
    elif "tuesday" in said.casefold():
        slots["date"] = "next Tuesday"
    elif said.casefold() in ("morning", "evening"):
        slots["time"] = said.casefold()
    session.set("slots", slots)
    missing = [name for name in ("destination", "date", "time") if name not in slots]
    if missing:
        return f"Which {missing[0]}?"
    return "Booked: {origin} to {destination}, {date}, {time}.".format(**slots)


support_agent = as_agent(support)
code_agent = as_agent(code)
travel_agent = as_agent(travel)
