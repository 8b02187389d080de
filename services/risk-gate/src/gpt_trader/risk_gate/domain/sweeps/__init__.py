"""What is looked at again and again while nothing is asked: one table of guards over one view (SPEC §7)."""
