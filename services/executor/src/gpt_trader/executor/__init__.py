"""Approved intents to orders; order life cycle and fills."""
