"""What isn't measured: programs that run the same lines hundreds of times, which smaller tests reach."""

import os


def unmeasured() -> dict[str, str]:
    """Our environment, without what measures the coverage of processes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
