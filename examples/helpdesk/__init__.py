"""Agents behind the HelpDesk chat protocol: a shop with a cart, and deployments that need a word."""
