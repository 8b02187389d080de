"""REST side of the venue, as the official SDK calls it."""
