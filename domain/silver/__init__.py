"""Clean ticks: one fact, one identity, exact numbers."""
