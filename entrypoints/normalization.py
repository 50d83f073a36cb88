"""The normalization service: python -m entrypoints.normalization. Settings are DATA_PROC_* variables."""

import sys

from entrypoints.service import main

if __name__ == "__main__":
    sys.exit(main("normalization", sys.argv[1:]))
