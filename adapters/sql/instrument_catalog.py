"""The instrument catalog in the database. What was asked for is read in a few statements, however many it is."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.sql import schema
from adapters.sql.database import Database, among
from adapters.sql.reference_rows import WHOLE_ID, Row, entries_of, markets_of, patterns_of
from adapters.sql.reference_store import last_load, least_answer
from domain.gold.catalog import EVERY_TENANT, Aliases, Catalog, names_of
from domain.gold.instrument_name import InstrumentName
from domain.gold.taxonomy import FOREVER, History, InstrumentKey


@attrs.frozen
class SqlInstrumentCatalog:
    """Reference data held in PostgreSQL or SQLite."""

    database: Database

    def version(self) -> int:
        """Return the number of the last load."""
        return self.database.reading("reading which load was the last", last_load)

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        """Return the history of each instrument; of one nobody describes, what its market implies."""
        if not instruments:
            return {}
        return self.database.reading("looking up instruments", lambda connection: _looked_up(connection, instruments))


def _looked_up(connection: Connection, instruments: Sequence[InstrumentKey]) -> dict[InstrumentKey, History]:
    tenants = {EVERY_TENANT, *(key.tenant_id for key in instruments)}
    aliases = _aliases(connection, tenants, {key.instrument_id for key in instruments})
    real = {InstrumentName.of(aliases[key.tenant_id].real(key.instrument_id)) for key in instruments}
    rows = _described(connection, tenants, {spelled for name in real for spelled in names_of(name)})
    markets = connection.execute(sa.select(schema.markets)).mappings().all()
    catalog = Catalog(
        entries=entries_of(rows),
        patterns=patterns_of(rows),
        markets=markets_of(markets),
        floor=least_answer(connection),
    )
    by_tenant = {tenant: attrs.evolve(catalog, aliases=aliases[tenant]) for tenant in tenants}
    return {key: by_tenant[key.tenant_id].history(key) for key in instruments}


def _described(connection: Connection, tenants: Collection[str], names: Collection[str]) -> list[Row]:
    """Rows of these names, and every pattern of these tenants."""
    table = schema.instruments
    asked = sa.select(table).where(table.c.tenant_id.in_(tenants))
    rows: list[Row] = list(connection.execute(asked.where(table.c.is_pattern)).mappings())
    rows.extend(connection.execute(asked.where(~table.c.is_pattern, among(connection, table.c.name, names))).mappings())
    return rows


def _aliases(connection: Connection, tenants: Collection[str], ids: Collection[str]) -> Mapping[str, Aliases]:
    """The other names of each tenant that are in force, its own before those of all."""
    table = schema.aliases
    asked = sa.select(table).where(table.c.tenant_id.in_(tenants), table.c.valid_until == FOREVER)
    spelled = {*ids, *(InstrumentName.of(one).location for one in ids)}
    rows: list[Row] = list(connection.execute(asked.where(among(connection, table.c.alias, spelled))).mappings())
    # An alias of a whole id may stand for one whose location is an alias too.
    further = {InstrumentName.of(row["stands_for"]).location for row in rows if row["market"] == WHOLE_ID} - spelled
    if further:
        rows.extend(connection.execute(asked.where(among(connection, table.c.alias, further))).mappings())
    by_tenant: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_tenant[row["tenant_id"]].append(row)
    return {tenant: _aliases_in([*by_tenant[EVERY_TENANT], *by_tenant[tenant]]) for tenant in tenants}


def _aliases_in(rows: Sequence[Row]) -> Aliases:
    """Of rows that name the same, the last counts."""
    return Aliases(
        {row["alias"]: row["stands_for"] for row in rows if row["market"] == WHOLE_ID},
        {(row["market"], row["alias"]): row["stands_for"] for row in rows if row["market"] != WHOLE_ID},
    )
