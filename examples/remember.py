"""An agent that remembers and recalls: what it keeps in the session is there in the next turn."""

from typing import Literal

from threadline.agents import Agent, Session, tool

Kind = Literal["fact", "wish"]


@tool(description="Remember something")
def remember(key: str, value: str, session: Session, kind: Kind = "fact") -> str:
    session.set(key, {"value": value, "kind": kind})
    return f"I will remember that {key} is {value}."


@tool(description="Recall something")
def recall(key: str, session: Session) -> str:
    kept = session.get(key)
    return f"{key} is {kept['value']}." if kept else f"I know nothing about {key}."


agent = Agent(name="memory", tools=[remember, recall])

if __name__ == "__main__":
    first = agent.run('remember(key="color", value="blue")')
    second = agent.run('recall(key="color")', session=first.session)
    print(first.text, second.text)
