"""The commands of the lab, one module each: its options, its help, and what its exit code means."""
