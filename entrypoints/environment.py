"""The environment of a process: its settings, or an exit that tells every problem; and its log."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from entrypoints.container import configure_logs
from entrypoints.settings import BadSettings, Settings

BAD_USAGE = 2


SERVICES_FILE = Path(".services.env")
"""Addresses of the local servers, as `make services-up` writes them into the current folder."""


def environment(defaults: Mapping[str, str]) -> dict[str, str]:
    """The variables of the process, over those of the local servers' file, over these defaults."""
    local = SERVICES_FILE.read_text(encoding="utf-8").splitlines() if SERVICES_FILE.is_file() else []
    pairs = (line.partition("=") for line in local if "=" in line and not line.startswith("#"))
    return {**defaults, **{name.strip(): value.strip() for name, _, value in pairs}, **os.environ}


def settings_or_exit(service: str, **defaults: str) -> Settings:
    """
    Read all settings and set up the log. Exits with 2, all problems told, where some can't be used.

    Args:
        service: Name of the service in its log lines.
        defaults: Variables that hold where nobody sets them.
    """
    try:
        settings = Settings.from_environment(environment(defaults))
    except BadSettings as error:
        print("settings can't be used:", *error.problems, sep="\n  ", file=sys.stderr)
        sys.exit(BAD_USAGE)
    configure_logs(service, settings.log_level)
    return settings
