"""
What ClickHouse's error codes mean to us.

    transient      the server is busy, full, read-only or away: StoreUnavailable, the same call may succeed later
    a row's fault  one row of an insert can't be stored, ever: the batch is bisected and that row handed back
                   (RowRefused, RowsRefused)
    deploy fault   a table or column is missing: SchemaBehind, whose message names the command that helps
    anything else  Fatal
"""

import re

from application.ports.errors import Denied, Fatal, SchemaBehind, StoreUnavailable

MIGRATE = "dataproc migrate up"

TRANSIENT = frozenset(
    {
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
        159,  # TIMEOUT_EXCEEDED
        164,  # READONLY
        173,  # CANNOT_ALLOCATE_MEMORY
        198,  # DNS_ERROR
        201,  # QUOTA_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        999,  # KEEPER_EXCEPTION
        1000,  # POCO_EXCEPTION
        1001,  # STD_EXCEPTION: memory or space that could not be had
    }
)

OF_A_ROW = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        69,  # ARGUMENT_OUT_OF_BOUND
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
    }
)

OF_THE_SCHEMA = frozenset(
    {
        8,  # THERE_IS_NO_COLUMN
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
        47,  # UNKNOWN_IDENTIFIER
        53,  # TYPE_MISMATCH
        60,  # UNKNOWN_TABLE
        81,  # UNKNOWN_DATABASE
    }
)

OF_THE_ACCOUNT = frozenset(
    {
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        497,  # ACCESS_DENIED
        516,  # AUTHENTICATION_FAILED
    }
)

LOCKED = ("Cannot lock file", "Error initializing EmbeddedServer")
"""How chDB says that it can't have a directory; the second names no cause, and this is the usual one."""

TOLD_CHARACTERS = 400
CLICKHOUSE = "clickhouse"
"""What readiness calls it."""

_CODE = re.compile(r"\bCode: (\d+)\b")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class RowRefused(Exception):
    """This insert holds a row that can't be stored; which one is found by bisecting it."""


class DirectoryInUse(Fatal):
    """Another process has the chDB directory open."""


class QueryFailed(Fatal):
    """The database refused a statement for a reason that waiting does not change."""


def code_of(error: BaseException) -> int | None:
    """The ClickHouse error code an exception carries; None where it never came from the engine."""
    code = getattr(error, "code", None)
    if isinstance(code, int) and code:
        return code
    told = _CODE.search(str(error))
    return int(told[1]) if told else None


def translated(error: BaseException, what: str) -> Exception:
    """
    Say in the port's words what a failed call means.

    Args:
        error: What the driver raised.
        what: What was being done, for the message.

    Returns:
        StoreUnavailable, or one of the Fatal errors above. Passwords in addresses are masked.
    """
    code, told = code_of(error), masked(str(error))
    if any(text in told for text in LOCKED):
        return DirectoryInUse(
            f"{what}: another process has this chDB directory open, and it can have one owner only; stop that process, "
            f"or use another directory (the engine says: {told})"
        )
    if code is None or code in TRANSIENT:
        return StoreUnavailable(f"{what}: ClickHouse can't do it now: {told}", CLICKHOUSE)
    if code in OF_THE_SCHEMA:
        return SchemaBehind(f"{what}: the database is not as this program needs it ({told}); run `{MIGRATE}`")
    if code in OF_THE_ACCOUNT:
        return Denied(
            f"{what}: ClickHouse does not let this account in or do this ({told}); "
            "check DATA_PROC_CLICKHOUSE_URL and the grants in migrations/clickhouse/users.sql"
        )
    return QueryFailed(f"{what}: ClickHouse refuses it: {told}")


def translated_insert(error: BaseException, what: str) -> Exception:
    """The same for an insert, which alone may fail by a row of its own: RowRefused."""
    return RowRefused(masked(str(error))) if code_of(error) in OF_A_ROW else translated(error, what)


def masked(told: str) -> str:
    """A driver's message without credentials, in one line, cut to a readable length."""
    return _CREDENTIALS.sub("//***@", " ".join(told.split()))[:TOLD_CHARACTERS]
