"""Storms as work on the bus: pieces for any number of workers, and what became of each."""
