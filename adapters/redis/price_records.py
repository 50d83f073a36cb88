"""Latest prices as records: JSON objects that a person can read, with exact numbers and instants as texts."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import polars as pl

from domain.batch import INSTANT, PRICE, stored_columns
from domain.served.latest_price import LatestPrice, LatestPrices

WRITTEN = tuple(stored_columns(LatestPrice))

_READ: Mapping[Any, Callable[[Any], Any]] = MappingProxyType({PRICE: Decimal, INSTANT: datetime.fromisoformat})


def written(rows: LatestPrices) -> list[str]:
    """One record a row, in order."""
    texts = [_text(rows.frame[name]) for name in WRITTEN]
    return pl.DataFrame(texts).select(pl.struct(WRITTEN).struct.json_encode()).to_series().to_list()


def read(record: bytes) -> LatestPrices:
    """The row of a record; nothing where it was written otherwise, as by another release."""
    try:
        told = json.loads(record)
        row = {name: _value(name, told[name]) for name in WRITTEN}
    except (ValueError, ArithmeticError, KeyError, TypeError):
        return LatestPrices.empty()
    series = f"{row['tenant_id']}|{row['instrument_id']}"
    return LatestPrices(pl.DataFrame([{**row, "series": series}], schema=dict(LatestPrices.schema)))


def _text(column: pl.Series) -> pl.Series:
    if column.dtype == INSTANT:
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return column.cast(pl.String) if column.dtype == PRICE else column


def _value(name: str, told: Any) -> Any:
    convert = _READ.get(LatestPrices.schema[name])
    return told if convert is None or told is None else convert(told)
