"""Everything in process: for the demo, tests and one-off loads."""
