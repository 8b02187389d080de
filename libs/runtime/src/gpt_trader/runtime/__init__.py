"""The shell's plumbing: bus, store, clock, health, settings, lifecycle."""
