"""The shell: intents in, orders out, reports on the bus."""
