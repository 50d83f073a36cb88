"""
The manifests of the services, written from the map of stages.

    python -m entrypoints.cli.manifests
"""

from pathlib import Path

from application.pipeline import STAGES
from entrypoints.cli.specs import INTERVALS, ROOT
from entrypoints.container import service_version
from entrypoints.manifests import as_yaml, manifest
from entrypoints.service import servers_of

FOLDER = "manifests"
FILE = "service-manifest.yaml"
GENERATED = "# Written by `python -m entrypoints.cli.manifests`; change the map of stages, not this file.\n"


def files() -> dict[str, str]:
    """The text of each manifest, by its path in the repository."""
    return {
        f"{FOLDER}/{stage.name}/{FILE}": GENERATED
        + as_yaml(manifest(stage.name, [stage], INTERVALS, service_version(), servers_of(stage.name)))
        for stage in STAGES
    }


def write_files(root: Path = ROOT) -> None:
    """This will write every manifest."""
    for path, text in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_files()
