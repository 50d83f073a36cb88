"""Things an operator asks the refinery to do."""
