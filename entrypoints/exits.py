"""
The status a process ends with, by what ended it; the settings page lists them.

Commands have further ones, told by their help: 3 done in part, 4 differences found, 69 a server is away, 75 not yet,
130 interrupted.
"""

from application.ports.errors import Denied, Insecure
from entrypoints.settings import BadSettings

DONE, FAILED, BAD_USAGE = 0, 1, 2
NOT_LET_IN = 78


def status_of(error: Exception) -> int:
    """2 where settings must change, 78 where a server refuses who we are or what we may do, else 1."""
    if isinstance(error, (BadSettings, Insecure)):
        return BAD_USAGE
    return NOT_LET_IN if isinstance(error, Denied) else FAILED
