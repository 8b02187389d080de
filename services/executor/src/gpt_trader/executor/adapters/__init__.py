"""The venue through the gate's egress, and the figures we show."""
