"""Everything that touches sockets, files, keys and the wall clock."""
