"""A workflow with guards: each step looks at the state of the one before. Its keys share a namespace, and
finishing cleans them up.
"""

from typing import Literal

from pydantic import BaseModel, Field

from threadline.agents import Agent, Session, tool

STATE = "deployment:state"
LOG = "deployment:log"

Environment = Literal["staging", "production"]


class DeploymentState(BaseModel):
    service: str
    environment: Environment
    step: Literal["prepared", "tested", "deployed"] = "prepared"
    checks: list[str] = Field(default_factory=list)


def _log(session: Session, line: str) -> str:
    session.set(LOG, [*session.get(LOG, []), line])
    return line


@tool(description="Prepare a deployment")
def prepare(service: str, environment: Environment, session: Session) -> str:
    if session.has(STATE):
        return "A deployment is under way; finish it first."
    session.set(STATE, DeploymentState(service=service, environment=environment))
    return _log(session, f"Prepared {service} for {environment}.")


@tool(description="Run the checks")
def verify(check: str, session: Session) -> str:
    state = session.get(STATE, as_type=DeploymentState)
    if state is None:
        return "Nothing is prepared."
    session.set(STATE, state.model_copy(update={"step": "tested", "checks": [*state.checks, check]}))
    return _log(session, f"{check} passed.")


@tool(description="Deploy it", requires_approval=True)
def deploy(session: Session) -> str:
    state = session.get(STATE, as_type=DeploymentState)
    if state is None:
        return "Nothing is prepared."
    if state.step != "tested":
        return "Not deployed: run the checks first."
    session.set(STATE, state.model_copy(update={"step": "deployed"}))
    return _log(session, f"Deployed {state.service} to {state.environment}.")


@tool(description="Finish the workflow and clean up")
def finish_workflow(session: Session) -> str:
    lines = len(session.get(LOG, []))
    for key in [key for key in session if key.startswith("deployment:")]:
        session.delete(key)
    return f"Finished after {lines} steps."


agent = Agent(name="deployer", tools=[prepare, verify, deploy, finish_workflow])
