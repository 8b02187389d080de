"""The console's contact with the world: bus, terminal, files."""
