"""The domains of all services in one process on a simulated clock."""
