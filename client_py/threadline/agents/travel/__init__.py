"""The demo agent: a travel planner that needs no model and no key, with real tools that change the
session's state.
"""

from threadline.agents.travel.planner import travel_agent

__all__ = ["agent", "travel_agent"]

agent = travel_agent()
"""What `threadline demo` runs: `--agent threadline.agents.travel:agent`."""
