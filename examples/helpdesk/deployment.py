"""Deployments: a typed state that guards the order of the steps; the last one needs a person's word."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from threadline.agents import Agent, Session, tool


class DeploymentState(BaseModel):
    service: str = ""
    environment: str = ""
    stage: Literal["idle", "configured", "validated", "deployed"] = "idle"


def state_of(session: Session) -> DeploymentState:
    return session.get("deployment", DeploymentState(), as_type=DeploymentState)


@tool(description="Configure a deployment")
def configure(service: str, environment: Literal["staging", "production"], session: Session) -> str:
    session.set("deployment", DeploymentState(service=service, environment=environment, stage="configured"))
    return f"Configured {service} for {environment}"


@tool(description="Validate the deployment")
def validate(session: Session) -> str:
    state = state_of(session)
    if state.stage == "idle":
        return "Error: configure the deployment first"
    session.set("deployment", state.model_copy(update={"stage": "validated"}))
    return f"Validated {state.service}"


@tool(description="Execute the deployment", requires_approval=True)
def execute(session: Session) -> str:
    state = state_of(session)
    if state.stage != "validated":
        return "Error: validate the deployment first"
    session.set("deployment", state.model_copy(update={"stage": "deployed"}))
    return f"Deployed {state.service} to {state.environment}"


@tool(description="Finish the workflow")
def finish_workflow(session: Session) -> str:
    """Keys of a workflow share a name, so they can be cleaned up together."""
    for key in [key for key in session.keys() if key.split(":")[0] == "deployment"]:  # noqa: SIM118
        session.delete(key)
    return "Finished"


agent = Agent(name="deployment", tools=[configure, validate, execute, finish_workflow])
