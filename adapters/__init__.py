"""With what: one folder a technology."""
