"""Stateful environments for reinforcement learning: a rollout's state is a session.

Subclass `Environment`; `environment_app` serves it with the protocol of a NeMo Gym resources server.
"""

from threadline.environment.app import environment_app
from threadline.environment.environment import Environment, action
from threadline.environment.rewards import aggregate

__all__ = ["Environment", "action", "aggregate", "environment_app"]
