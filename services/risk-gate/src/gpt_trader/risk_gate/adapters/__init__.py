"""The gate's only I/O besides the bus: the venue, the egress in front of it, and Redis."""
