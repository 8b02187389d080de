"""Everything the services say to each other: frozen messages, and the one place that spells subjects and streams."""
