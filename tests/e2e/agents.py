"""Agents for what the demo's own is too quick or too trusting for."""

from __future__ import annotations

from threadline.agents import Agent, Session, tool
from threadline.agents.travel import travel_agent

slow = travel_agent(tokens_per_second=12.0)
"""Its answers take seconds, so that a test can come in between."""


@tool(description="Book a hotel", requires_approval=True)
def book(hotel: str, session: Session) -> str:
    session.set("hotel", hotel)
    return f"Booked {hotel}"


booking = Agent(name="booking", model="demo", tools=[book])
"""It books only what a person has allowed."""


HOSTILE = [
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "[x](javascript:window.hit=1)",
    "<a href='javascript:window.hit=1'>x</a>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<style>body{display:none}</style>",
    "```\n</code></pre><script>window.hit=1</script>\n```",
    "<form><button formaction=javascript:window.hit=1>x</button></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>",
    "<details open ontoggle=window.hit=1><summary>x</summary></details>",
    "<a id=threadline href=x>y</a><base href='//example.org/'>",
    "<meta http-equiv=refresh content='0;//example.org'>",
    "![x](https://example.org/pixel.png) [data](data:text/html,<script>opener.hit=1</script>)",
    "<object data='data:text/html,<script>parent.hit=1</script>'></object><embed src=x>",
    "<div style='position:fixed;inset:0' onmouseover=window.hit=1>cover</div>",
    r"\(\text{<img src=x onerror=window.hit=1>} + \href{javascript:window.hit=1}{x}\)",
    r"$$\fcolorbox{red}{blue}{x} \htmlStyle{position:fixed}{x}$$",
]
"""What people, agents and tools may write to make a page act."""


@tool(description="Recite what was found")
def recite() -> str:
    return "\n\n".join(HOSTILE)


reciting = Agent(name="reciting", model="demo", tools=[recite])
"""Its tool has read hostile text, and it repeats that."""
