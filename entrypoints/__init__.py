"""Who starts it: doors that read the environment, arguments and signals, and construct objects."""
