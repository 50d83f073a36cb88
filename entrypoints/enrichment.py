"""The enrichment service: python -m entrypoints.enrichment. Settings are DATA_PROC_* variables."""

import sys

from entrypoints.service import main

if __name__ == "__main__":
    sys.exit(main("enrichment", sys.argv[1:]))
