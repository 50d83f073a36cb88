"""The conversations the application needs held, one a file; every adapter keeps to the same law."""
