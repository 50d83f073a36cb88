from decimal import Decimal

import attrs
import polars as pl
import pytest

from domain.batch import PRICE, Batch, column, schema_of, stored_columns
from domain.errors import SchemaMismatch


@attrs.frozen(kw_only=True)
class Quote:
    name: str = column(pl.String, "Whose.")
    price: Decimal = column(PRICE, "How much.")
    note: str | None = column(pl.String, "What else.", null=True)
    series: str = column(pl.String, "Travels only.", stored=False)


class Quotes(Batch[Quote]):
    fact = Quote


def quote(name: str = "A", note: str | None = None) -> Quote:
    return Quote(name=name, price=Decimal("1.50000000"), note=note, series=f"t|{name}")


def frame(**columns: object) -> pl.DataFrame:
    return Quotes.of([quote()]).frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def test_a_fact_declares_its_columns_once() -> None:
    assert schema_of(Quote) == {"name": pl.String, "price": PRICE, "note": pl.String, "series": pl.String}
    assert stored_columns(Quote) == ["name", "price", "note"]


def test_facts_go_in_and_come_out() -> None:
    facts = [quote("A"), quote("B", "b")]
    assert Quotes.of(facts).facts() == facts
    assert Quotes.of([]).facts() == []


def test_the_order_of_columns_is_the_declared_one_whatever_was_given() -> None:
    batch = Quotes(frame().select("series", "note", "price", "name"))
    assert list(batch.frame.columns) == ["name", "price", "note", "series"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (frame().drop("name"), "Quotes: name: None instead of String"),
        (frame(odd=1), "odd: Int32 instead of None"),
        (frame(price=1.5), "price: Float64 instead of Decimal"),
        (frame().with_columns(name=pl.lit(None, dtype=pl.String)), "column name holds nulls"),
    ],
)
def test_a_frame_that_is_not_as_declared_is_refused(given: pl.DataFrame, complaint: str) -> None:
    with pytest.raises(SchemaMismatch, match=complaint):
        Quotes(given)


def test_what_may_be_unknown_may_be_null() -> None:
    assert Quotes(frame().with_columns(note=pl.lit(None, dtype=pl.String))).facts() == [quote()]


def test_batches_are_joined_in_order() -> None:
    a, b = Quotes.of([quote("A")]), Quotes.of([quote("B")])
    assert [fact.name for fact in Quotes.concat([b, a]).facts()] == ["B", "A"]
    assert Quotes.concat([a]) is a
    assert len(Quotes.concat([])) == len(Quotes.empty()) == 0


def test_batches_of_equal_facts_are_equal() -> None:
    assert Quotes.of([quote()]) == Quotes.of([quote()])
    assert Quotes.of([quote("A")]) != Quotes.of([quote("B")])
    assert Quotes.empty() != 0


def test_a_batch_may_be_kept_in_a_set_and_shows_what_it_holds() -> None:
    batch = Quotes.of([quote("SHOWN")])
    assert len({batch, batch, Quotes.empty()}) == 2
    assert repr(batch).startswith("Quotes(")
    assert "SHOWN" in repr(batch)
