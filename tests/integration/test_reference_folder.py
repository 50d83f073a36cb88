"""Reference files of one's own in place of the shipped ones."""

import shutil
from pathlib import Path

from entrypoints.container import SHIPPED_REFERENCE, Container
from entrypoints.settings import Settings


def test_feeds_are_read_from_the_folder_that_is_set(tmp_path: Path) -> None:
    folder = shutil.copytree(SHIPPED_REFERENCE, tmp_path / "reference")
    feeds = folder / "feeds.yaml"
    feeds.write_text(feeds.read_text().replace("America/Chicago", "America/Denver"))
    policy = Container(settings=Settings(reference_dir=folder)).policies().feeds().find("ERCOT", "dam", "")

    assert policy is not None
    assert policy.clock == "America/Denver"
