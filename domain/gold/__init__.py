"""What follows from ticks: bars and their windows."""
