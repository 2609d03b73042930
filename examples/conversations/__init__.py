"""Conversations whose state is what makes them work: five agents, and what can go wrong with state."""
