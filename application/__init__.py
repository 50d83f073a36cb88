"""What the refinery does, in which order: stages, the loop that runs them, and the ports they speak through."""
