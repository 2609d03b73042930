"""A coding agent whose code runs in a Jupyter kernel of its own for each session."""
