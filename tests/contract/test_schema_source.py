"""What whoever knows the schemas of raw messages promises, be it a registry or the files beside the reader."""

import json
from collections.abc import Iterator

import pytest

from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.clock import SystemClock
from adapters.registry.schema_registry import SchemaRegistry
from adapters.wire.raw_avro import RawAvro
from adapters.wire.raw_schemas import SCHEMAS, SchemasInHand, SchemaSource
from tests.builders import envelope
from tests.support.registry import SHIPPED, Registry, answering
from tests.unit.markets.messages import CAISO, MISO, TICKS, caiso, csv, generated, miso_lmp, mixed, told
from tests.unit.wire.test_raw_avro import GENERATED, TYPED, WRAPPER, framed

MESSAGES = [
    (MISO, framed(TYPED, envelope(miso_lmp()))),
    (CAISO, framed(WRAPPER, envelope(caiso()))),
    (TICKS, framed(WRAPPER, envelope(csv()))),
    (MISO, framed(GENERATED, generated())),
]


class SchemaSourceContract:
    """Inherited by the suite of each source, which knows the schemas that come with the program under their ids."""

    @pytest.fixture
    def source(self) -> SchemaSource:
        raise NotImplementedError

    def test_a_known_id_has_its_schema(self, source: SchemaSource) -> None:
        found = {number: source.of(number) for number in SHIPPED}
        assert found == {number: json.loads((SCHEMAS / name).read_text()) for number, name in SHIPPED.items()}

    @pytest.mark.parametrize("number", [0, 4, 2**32 - 1])
    def test_an_id_nobody_gave_has_none(self, source: SchemaSource, number: int) -> None:
        assert source.of(number) is None

    def test_messages_of_known_ids_are_read_alike(self, source: SchemaSource) -> None:
        read = MarketDecoder(RawAvro(source)).decode(mixed(*MESSAGES))
        shipped = MarketDecoder().decode(mixed(*MESSAGES))
        assert (read.prices, told(read), len(read.prices)) == (shipped.prices, [], len(MESSAGES))

    def test_a_message_of_an_id_nobody_gave_is_refused_and_harms_no_other(self, source: SchemaSource) -> None:
        unknown = b"\x00\x00\x00\x00\x09" + MESSAGES[0][1][5:]
        read = MarketDecoder(RawAvro(source)).decode(mixed((MISO, unknown), *MESSAGES, (MISO, b"\x00\x00")))
        assert told(read) == [(0, -1, "UNKNOWN_SCHEMA", ""), (5, -1, "UNKNOWN_SCHEMA", "")]
        assert read.refusals.frame["message"].to_list() == [
            "no schema for the header 0000000009",
            "no schema for the header 0000",
        ]
        assert len(read.prices) == len(MESSAGES)


class TestSchemasInHand(SchemaSourceContract):
    @pytest.fixture
    def source(self) -> SchemaSource:
        return SchemasInHand.of_files()


class TestSchemaRegistry(SchemaSourceContract):
    @pytest.fixture
    def source(self) -> Iterator[SchemaSource]:
        registry = Registry()
        for number, name in SHIPPED.items():
            registry.register(number, json.loads((SCHEMAS / name).read_text()))
        with answering(registry) as url:
            yield SchemaRegistry.at(url, "test", SystemClock())
