"""What every kind of test may ask for."""

import os
from pathlib import Path

import pytest

BESIDE_THE_REPOSITORY = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The acceptance data beside the repository; tests on it are skipped where it is absent, but never with CI=true."""
    data = Path(os.environ.get("DATA_PROC_SHARED", BESIDE_THE_REPOSITORY)) / "data"
    if not data.is_dir() and os.environ.get("CI") != "true":
        pytest.skip("the shared acceptance data is absent")
    assert data.is_dir(), f"CI=true needs the acceptance data at {data}, or DATA_PROC_SHARED saying where it is"
    return data
