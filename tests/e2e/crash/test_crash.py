"""A short round of the crash harness; `make crash-night` runs a long one."""

import pytest

from tests.e2e.crash.harness import crash

AGREED = 0


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_service_meets_every_fate_and_the_verifier_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert crash(kills=20, seed=254) == AGREED, capsys.readouterr().out
