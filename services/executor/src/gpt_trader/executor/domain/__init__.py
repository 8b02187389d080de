"""Pure: what an order may become, and what the venue's words mean for it."""
