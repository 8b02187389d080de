"""What each kind of record makes of the state, by what it speaks of."""
