"""The last hop: the only way anything signed reaches the venue."""
