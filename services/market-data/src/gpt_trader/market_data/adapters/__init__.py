"""The only I/O of this service: the venue's feed and REST, files, the bus, metrics."""
