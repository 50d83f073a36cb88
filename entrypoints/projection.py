"""The projection service: python -m entrypoints.projection. Settings are DATA_PROC_* variables."""

import sys

from entrypoints.service import main

if __name__ == "__main__":
    sys.exit(main("projection", sys.argv[1:]))
