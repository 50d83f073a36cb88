import gzip
import json
import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.raw_lines import RawLines
from application.ports.raw_source import STANDARD_INPUT, BadInput, Lines
from domain.bronze.raw_event import RawEvents

Place = tuple[int, int]


def line(offset: int | None = 0, partition: int | None = 0, **fields: Any) -> dict[str, Any]:
    placed = {name: value for name, value in (("partition", partition), ("offset", offset)) if value is not None}
    return {"topic": "t", **placed, "timestamp_ms": 1000 + (offset or 0), "value": {"n": offset}} | fields


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(name: str, *lines: dict[str, Any] | str) -> str:
        text = "".join((said if isinstance(said, str) else json.dumps(said)) + "\n" for said in lines)
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return str(path)

    return written


def read(*paths: str, at_most: int = 100) -> list[Lines]:
    return list(RawLines(paths, lambda _: 4).lines(at_most))


def places(*paths: str) -> list[Place]:
    return [
        place for lines in read(*paths) for place in zip(lines.events.partitions, lines.events.offsets, strict=True)
    ]


def test_a_line_is_a_message_with_its_coordinates(write: Callable[..., str]) -> None:
    path = write("a.jsonl", line(7, 2, id="x", timestamp_ms=5))
    (lines,) = read(path)
    expected = RawEvents(topics=["t"], partitions=[2], offsets=[7], timestamps_us=[5000], values=[b'{"n": 7}'])
    assert expected == lines.events
    assert (lines.ids, lines.places, lines.placed) == ({0: "x"}, [f"{path}:1"], [True])


def test_a_message_is_the_exact_text_of_its_value(write: Callable[..., str]) -> None:
    path = write(
        "a.jsonl",
        '{"topic":"t","value": {"price":1.10, "a":1,"a" :2}}',
        '{"topic":"t","value":null}',
        '{"topic":"t","value":"x"}',
    )
    assert [value for lines in read(path) for value in lines.events.values] == [
        b'{"price":1.10, "a":1,"a" :2}',
        b"null",
        b'"x"',
    ]


DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    "value",
    [
        '{"node":"\\ud800"}',
        DEEP,
        '{"a":"}\\"]",  "b":[' + DEEP + ',{"c":1}]}',
        '{"a":NaN, "a" :1}',
        '"\\q"',
        "nonsense",
    ],
)
def test_a_value_that_no_parser_gets_through_is_for_the_decoder_to_judge(write: Callable[..., str], value: str) -> None:
    said = f'{{"topic":"t", "value":1, "unheard" : {{"value":"\\ud800"}},"partition":0,"value" : {value} ,"offset":3,"id":7}}'
    path = write("a.jsonl", said, line(4))
    (lines,) = read(path, at_most=9)
    assert lines.events.values == [value.encode(), b'{"n": 4}']
    assert (lines.events.offsets.to_list(), lines.ids, lines.placed) == ([3, 4], {0: "7"}, [True, True])
    assert places(path, write("b.jsonl", line(2))) == [(0, 2), (0, 3), (0, 4)]


def test_bytes_that_are_no_json_come_as_base64(write: Callable[..., str]) -> None:
    path = write("a.jsonl", line(value_b64=b64encode(b"\x00\xff").decode()), line(1, value_b64=None))
    assert read(path)[0].events.values == [b"\x00\xff", None]


@pytest.mark.parametrize("said", ["", ',"timestamp_ms":null', ',"timestamp_ms":-1'])
def test_a_line_may_say_nothing_about_when_it_was_recorded(write: Callable[..., str], said: str) -> None:
    path = write("a.jsonl", f'{{"topic":"t","value":1{said}}}', line(timestamp_ms=0))
    assert read(path)[0].events.timestamps_us.to_list() == [None, 0]


def test_keys_and_ids_may_be_numbers(write: Callable[..., str]) -> None:
    path = write("a.jsonl", line(None, None, key=17, id=3), line(None, None, key="17", id=0), line(None, None, key=1.5))
    (lines,) = read(path)
    assert (lines.keys, lines.ids) == ([b"17", b"17", b"1.5"], {0: "3", 1: "0"})
    assert lines.events.partitions[0] == lines.events.partitions[1]


def test_files_may_be_compressed_and_have_blank_lines(write: Callable[..., str]) -> None:
    path = write("a.jsonl.gz", line(0), "", "  ", line(1))
    assert places(path) == [(0, 0), (0, 1)]
    assert read(path)[0].places == [f"{path}:1", f"{path}:4"]


def test_lines_come_at_most_so_many_at_a_time(write: Callable[..., str]) -> None:
    path = write("a.jsonl", *(line(offset) for offset in range(5)))
    assert [len(lines.events) for lines in read(path, at_most=2)] == [2, 2, 1]
    assert read(write("empty.jsonl")) == []


def test_a_line_without_a_partition_gets_that_of_its_key(write: Callable[..., str]) -> None:
    path = write(
        "a.jsonl",
        line(None, None, key="abc"),
        line(None, None, key="abd"),
        line(None, None),
        line(None, 3),
        line(5, None),
    )
    (lines,) = read(path)
    assert lines.events.partitions.to_list() == [2, 1, 0, 3, 0]
    assert (lines.events.offsets.to_list(), lines.placed) == ([-1, -1, -1, -1, 5], [False] * 5)


def test_files_are_merged_by_coordinate_whatever_their_times_say(write: Callable[..., str]) -> None:
    one = write("one.jsonl", line(0), line(3, timestamp_ms=1), line(1, 1, timestamp_ms=0))
    two = write("two.jsonl.gz", line(1, timestamp_ms=9000), line(2, timestamp_ms=None), line(0, 1, timestamp_ms=9))
    merged = places(one, two)
    assert [offset for partition, offset in merged if partition == 0] == [0, 1, 2, 3]
    assert [offset for partition, offset in merged if partition == 1] == [0, 1]


@given(lines=st.lists(st.tuples(st.integers(0, 1), st.none() | st.integers(0, 9))))
def test_a_single_file_is_put_in_order_too(lines: list[Place]) -> None:
    with NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(line(offset, partition)) + "\n" for partition, offset in lines)
        file.flush()
        found = places(file.name)
    assert sorted(found) == sorted((partition, -1 if offset is None else offset) for partition, offset in lines)
    for partition in (0, 1):
        offsets = [offset for where, offset in found if where == partition and offset >= 0]
        assert list(dict.fromkeys(offsets)) == sorted(set(offsets))


def test_a_file_that_misses_no_offset_is_read_once_as_it_comes(write: Callable[..., str]) -> None:
    found = RawLines([write("a.jsonl", line(0), line(0, 1), line(1), line(0), "{")], lambda _: 4).lines(1)
    assert [next(found).events.offsets[0] for _ in range(4)] == [0, 0, 1, 0]
    with pytest.raises(BadInput, match=r"a.jsonl:5"):
        next(found)


def test_one_file_twice_gives_every_line_twice(write: Callable[..., str]) -> None:
    path = write("a.jsonl", line(0), line(1), line(None))
    assert sorted(places(path, path)) == [(0, -1), (0, -1), (0, 0), (0, 0), (0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("{", "a.jsonl:1 is no raw message"),
        ("[]", "is no raw message"),
        ('{"value":1}', "missing required field `topic`"),
        ('{"topic":"t","partition":-1,"value":1}', "is no raw message"),
        ('{"topic":"t","offset":9223372036854775807,"value":1}', "is no raw message"),
        ('{"topic":"t","offset":"0","value":1}', "is no raw message"),
        ('{"topic":"t"}', "has neither value nor value_b64"),
        ('{"topic":"t","value_b64":"?"}', "value_b64 is not base64"),
        ('{"topic":"t","value_b64":"ä"}', "value_b64 is not base64"),
        ('{"topic":"\\ud800","value":1}', "is no raw message"),
        ('{"topic":"t","value":"\\ud800"', "is no raw message"),
        ('{"topic":"t","value":["\\ud800"}}', "is no raw message"),
        ('{"topic":"t","value":"\\ud800}', "is no raw message"),
        ('{"topic":"t","value":"\\ud800"}}', "is no raw message"),
        ('{"topic":"t","value":1}{"topic":"t","value":2}', "is no raw message"),
        ('["\\ud800"]', "is no raw message"),
        ("nonsense", "is no raw message"),
        ('{"topic":"t","partition":-1,"value":"\\ud800"}', "is no raw message"),
        ('{"topic":"t","value":}', "has neither value nor value_b64"),
    ],
)
def test_a_line_that_is_no_raw_message_is_named(write: Callable[..., str], said: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        read(write("a.jsonl", said))


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, write: Callable[..., str]) -> None:
    with pytest.raises(BadInput, match=r"absent.jsonl can't be read"):
        read(str(tmp_path / "absent.jsonl"))
    broken = tmp_path / "broken.gz"
    broken.write_bytes(Path(write("a.jsonl.gz", *(line(n) for n in range(50)))).read_bytes()[:60])
    with pytest.raises(BadInput, match=r"broken.gz can't be read"):
        read(str(broken))


def test_what_can_be_read_once_only_is_not_merged_with_files(tmp_path: Path, write: Callable[..., str]) -> None:
    with pytest.raises(BadInput, match="standard input can be read once only"):
        read(STANDARD_INPUT, write("a.jsonl", line(0)))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="pipe can be read once only"):
        read(str(tmp_path / "pipe"), write("a.jsonl", line(0)))


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """A pipe by its path, and its other end, which stays open as long as nobody closes it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with path.open("wb", buffering=0) as writer:
        yield str(path), writer
    os.close(reader)


def text_of(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(said).encode() + b"\n" for said in lines)


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_pipe_is_read_until_its_other_end_is_closed(
    pipe: tuple[str, BinaryIO], packed: Callable[[bytes], bytes]
) -> None:
    path, writer = pipe
    writer.write(packed(text_of(line(0))) + packed(text_of(line(1))))
    source = RawLines([path], lambda _: 4, stopping=lambda: bool(writer.close()))
    assert [lines.events.offsets.to_list() for lines in source.lines(1)] == [[0], [1]]


def test_a_pipe_is_taken_as_it_comes(pipe: tuple[str, BinaryIO]) -> None:
    path, writer = pipe
    writer.write(text_of(line(5), line(3), line(4)))
    source = RawLines([path], lambda _: 4, stopping=lambda: bool(writer.close()))
    assert [lines.events.offsets.to_list() for lines in source.lines(9)] == [[5, 3, 4]]


def test_who_asks_to_stop_while_nothing_comes_gets_what_has_come(pipe: tuple[str, BinaryIO]) -> None:
    path, writer = pipe
    asked = iter([False, True])
    source = RawLines([path], lambda _: 4, stopping=lambda: next(asked))
    writer.write(text_of(line(0), line(1)) + b'{"topic":')
    assert [lines.events.offsets.to_list() for lines in source.lines(100)] == [[0, 1]]


def test_who_asks_to_stop_before_anything_comes_gets_nothing(pipe: tuple[str, BinaryIO]) -> None:
    path, _ = pipe
    asked = iter([False, True])
    assert list(RawLines([path], lambda _: 4, stopping=lambda: next(asked)).lines(100)) == []
