"""The aggregation service: python -m entrypoints.aggregation. Settings are DATA_PROC_* variables."""

import sys

from entrypoints.service import main

if __name__ == "__main__":
    sys.exit(main("aggregation", sys.argv[1:]))
