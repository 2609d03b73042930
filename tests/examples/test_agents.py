"""The agents under examples/ do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples import cart, deployment, remember, support, travel
from threadline.agents import Agent, LLMRequest, LLMResponse, Session, as_agent, tool

ROOT = Path(__file__).parents[2]


def talk(agent: Agent, *said: str, session: dict[str, Any] | None = None) -> tuple[list[str], dict[str, Any]]:
    """What it answers, turn by turn, and the session at the end; everything is approved."""
    state, answers = session or {}, []
    for words in said:
        response = agent.run(words, session=state)
        while response.needs_approval:
            response.approve_all()
            response = agent.resume(response)
        state = response.session
        answers.append(response.text)
    return answers, state


def test_the_agent_of_the_readme_is_the_example_and_short() -> None:
    source = (ROOT / "examples" / "travel.py").read_text()
    blocks = re.findall(
        r"^```python\n# travel\.py\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M
    )
    assert blocks == [source]
    assert len(source.splitlines()) < 30


def test_the_agent_of_the_readme_asks_before_it_books() -> None:
    going = travel.agent.run("set_city(city='Berlin')")
    assert going.session == {"trip": {"city": "Berlin", "hotel": None}}
    waiting = travel.agent.run("book_hotel(hotel='Adler')", session=going.session)
    assert [call.name for call in waiting.pending_tools] == ["book_hotel"]
    assert waiting.session["trip"]["hotel"] is None
    waiting.approve_all()
    booked = travel.agent.resume(waiting)
    assert booked.text == "Booked Adler in Berlin"
    assert travel.Trip.model_validate(booked.session["trip"]).hotel == "Adler"


@pytest.mark.row("S4-27")
def test_what_is_remembered_is_recalled() -> None:
    said = ('remember(key="color", value="blue")', 'recall(key="color")', 'recall(key="size")')
    answers, state = talk(remember.agent, *said)
    assert answers == ["I will remember that color is blue.", "color is blue.", "I know nothing about size."]
    assert state == {"color": {"value": "blue", "kind": "fact"}}
    schema = remember.remember.parameters["properties"]
    assert (list(schema), schema["kind"]["enum"]) == (["key", "value", "kind"], ["fact", "wish"])


def test_an_example_runs_as_a_program() -> None:
    command = [sys.executable, "-W", "error", "examples/remember.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "I will remember that color is blue. color is blue.\n"


@pytest.mark.row("S4-19", "S4-28", "S4-50")
def test_a_cart_is_filled_paid_and_empty() -> None:
    answers, state = talk(
        cart.agent,
        "add_to_cart(name='pen', price=19.99)",
        "add_to_cart(name='ink', price=12.49, quantity=2)",
        "view_cart()",
    )
    assert answers == [
        "Added 1 x pen. Total: $19.99",
        "Added 2 x ink. Total: $44.97",
        "- 1 x pen: $19.99\n- 2 x ink: $24.98\nTotal: $44.97",
    ]
    paid, state = talk(cart.agent, "checkout()", session=state)
    assert (paid, state) == (["Order placed. You paid $44.97."], {})
    assert talk(cart.agent, "view_cart()", "checkout()", session=state)[0] == [
        "Your cart is empty.",
        "Nothing to check out: your cart is empty.",
    ]


@pytest.mark.row("S1-37", "S4-29", "S4-51", "S4-54")
def test_a_deployment_keeps_to_its_steps_and_cleans_up() -> None:
    prepare = "prepare(service='api', environment='staging')"
    answers, state = talk(deployment.agent, "deploy()", prepare, prepare, "deploy()", "verify(check='smoke')")
    assert answers == [
        "Nothing is prepared.",
        "Prepared api for staging.",
        "A deployment is under way; finish it first.",
        "Not deployed: run the checks first.",
        "smoke passed.",
    ]
    assert deployment.DeploymentState.model_validate(state["deployment:state"]).checks == ["smoke"]
    answers, state = talk(deployment.agent, "deploy()", "finish_workflow()", session={**state, "other": 1})
    assert answers == ["Deployed api to staging.", "Finished after 3 steps."]
    assert state == {"other": 1}


@pytest.mark.row("S1-32")
def test_support_remembers_the_first_complaint() -> None:
    said = ("Hello", "ORDER-123 arrived broken", "What about my refund?")
    answers, _ = talk(support.support_agent, *said)
    assert answers == [
        "Which order is it about?",
        "I am sorry about ORDER-123. I have noted it.",
        "About ORDER-123: you said “ORDER-123 arrived broken”. I am on it.",
    ]


@pytest.mark.row("S1-33")
def test_code_of_an_earlier_turn_is_edited() -> None:
    answers, state = talk(support.code_agent, "Write a button", "Now make it blue")
    assert answers[0] == '```tsx\n<button className="grey">Button</button>\n```'
    assert answers[1] == '```tsx\n<button className="blue">Button</button>\n```'
    assert state["component"]["color"] == "blue"


@pytest.mark.row("S1-34", "S1-35")
def test_slots_are_filled_over_turns_and_the_origin_comes_from_the_profile() -> None:
    state: dict[str, Any] = {}
    agent = Agent(
        driver=support.travel_agent.driver, providers=[lambda session: {"profile": {"home": "Pune"}}]
    )
    answers = []
    for words in ("Find me flights to Berlin", "Next Tuesday", "Morning"):
        response = agent.run(words, session=state)
        state = response.session
        answers.append(response.text)
    assert answers == ["Which date?", "Which time?", "Booked: Pune to Berlin, next Tuesday, morning."]
    assert state["slots"] == {
        "origin": "Pune",
        "destination": "Berlin",
        "date": "next Tuesday",
        "time": "morning",
    }


@pytest.mark.row("S1-31", "S4-53")
def test_a_session_is_one_in_tools_interceptors_functions_and_runs(tmp_path: Path) -> None:
    @tool
    def touch(session: Session) -> str:
        """Touch"""
        session.set("tool", True)
        return "touched"

    def before(request: LLMRequest) -> None:
        request.session.set("before", True)

    def after(response: LLMResponse) -> None:
        assert response.session.has("tool")
        response.session.set("after", True)

    agent = Agent([touch], request_interceptors=before, response_interceptors=after)
    store = tmp_path / "sessions.db"
    session = Session.create(user_id="harsh", store=store)
    agent.run("touch()", session=session)

    def keys(messages: list[Any], context: dict[str, Any], session: Session) -> str:
        return ",".join(sorted(session.keys()))

    answered = as_agent(keys).run("what is there?", session=session)
    assert answered.text == "after,before,tool"
    session.save()
    assert Session.load(session.id, store=store).to_dict() == {"after": True, "before": True, "tool": True}
