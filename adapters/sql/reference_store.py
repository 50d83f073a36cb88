"""Reference data in the database, as a whole: what is held, and changes to it."""

from collections.abc import Mapping, Sequence

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from adapters.sql import schema
from adapters.sql.database import Database
from adapters.sql.reference_rows import PARTS
from application.ports.reference_store import Change, Reference, StaleReference
from domain.gold.catalog import LEAST_ANSWER

ROWS_AT_ONCE = 1_000


@attrs.frozen
class SqlReferenceStore:
    """Keeps to application.ports.reference_store.ReferenceStore."""

    database: Database

    def loads(self) -> int:
        """Return how often anything was loaded."""
        return self.database.reading("reading which load was the last", last_load)

    def held(self) -> Reference:
        """Return everything that is loaded."""
        return self.database.reading("reading the reference data", _held)

    def write(self, changes: Sequence[Change], load: int, floor: int) -> None:
        """Make these changes, all or none, unless something was loaded since."""
        self.database.changing("loading reference data", lambda connection: _write(connection, changes, load, floor))


def _held(connection: Connection) -> Reference:
    parts = {
        name: part.units(connection.execute(sa.select(part.table)).mappings().all()) for name, part in PARTS.items()
    }
    return Reference(**parts, load=last_load(connection), floor=metadata_floor(connection))


def last_load(connection: Connection) -> int:
    """The number of the last load; 0 where nothing was ever loaded."""
    return connection.execute(sa.select(sa.func.max(schema.reference_loads.c.load))).scalar() or 0


def metadata_floor(connection: Connection) -> int:
    """The least version of what is known of any instrument."""
    return connection.execute(sa.select(sa.func.max(schema.reference_loads.c.metadata_floor))).scalar() or 0


def least_answer(connection: Connection) -> int:
    """The least metadata_version of an answer; 0 where nothing was ever loaded."""
    return max(metadata_floor(connection), min(LEAST_ANSWER, last_load(connection)))


def _write(connection: Connection, changes: Sequence[Change], load: int, floor: int) -> None:
    _claim(connection, load, {"changes": len(changes), "metadata_floor": floor})
    for name, part in PARTS.items():
        units = [change for change in changes if change.part == name]
        replaced = [part.where(change.key) for change in units if change.before is not None]
        if replaced:
            named = sa.and_(*(part.table.c[column] == sa.bindparam(f"of_{column}") for column in replaced[0]))
            keys = [{f"of_{column}": value for column, value in key.items()} for key in replaced]
            connection.execute(sa.delete(part.table).where(named), keys)
        rows = [
            {**part.where(change.key), **row}
            for change in units
            if change.after is not None
            for row in part.rows(change.after)
        ]
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            connection.execute(sa.insert(part.table), rows[begin : begin + ROWS_AT_ONCE])


def _claim(connection: Connection, load: int, about: Mapping[str, int]) -> None:
    """Number this load. Of two that follow the same one, the second finds its number taken."""
    stale = StaleReference(
        "somebody loaded reference data meanwhile; run the command again and look at the changes anew"
    )
    if last_load(connection) != load:
        raise stale
    try:
        connection.execute(sa.insert(schema.reference_loads).values(load=load + 1, **about))
    except IntegrityError as error:
        raise stale from error
