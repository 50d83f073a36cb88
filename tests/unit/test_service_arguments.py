"""Services take no arguments, and say so instead of starting."""

import pytest

from application.pipeline import STAGES
from entrypoints.service import main

NAMES = [stage.name for stage in STAGES]


@pytest.mark.parametrize("name", NAMES)
def test_help_names_the_service_its_port_and_its_settings(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(name, ["--help"])

    told = capsys.readouterr().out
    port = next(stage.port for stage in STAGES if stage.name == name)
    assert f"python -m entrypoints.{name}" in told
    assert f"http://127.0.0.1:{port}" in told
    assert "docs/reference/settings.md" in told


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(name, ["--verbose"])

    assert end.value.code == 2
    assert "--verbose" in capsys.readouterr().err
