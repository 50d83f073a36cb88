"""Questions the refinery answers."""
