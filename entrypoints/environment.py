"""The environment of a process: its settings, or an exit that tells every problem; and its log."""

import os
import sys

from entrypoints.container import configure_logs
from entrypoints.settings import BadSettings, Settings

BAD_USAGE = 2


def settings_or_exit(service: str) -> Settings:
    """
    Read all settings and set up the log. Exits with 2, all problems told, where some can't be used.

    Args:
        service: Name of the service in its log lines.
    """
    try:
        settings = Settings.from_environment(os.environ)
    except BadSettings as error:
        print("settings can't be used:", *error.problems, sep="\n  ", file=sys.stderr)
        sys.exit(BAD_USAGE)
    configure_logs(service, settings.log_level)
    return settings
