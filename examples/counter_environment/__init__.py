"""A counter that an agent has to bring to a target: an environment whose state is a session."""
