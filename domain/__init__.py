"""What is true of prices, still true on paper: facts, their identity, and what follows from them. No I/O, no clock, no chance."""
