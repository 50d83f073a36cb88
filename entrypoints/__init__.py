"""Who starts it: doors that read the environment, arguments and signals, and construct objects."""

import os

# Two threads cost the aggregate step a third more CPU; a second process is the better use of a second core.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
