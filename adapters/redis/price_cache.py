"""
The price cache in Redis: `tenant:{tenant_id}:latest:{instrument_id}`, a hash of `version` and `record`.

The version is the rank, 80 digits, compared as text: Lua's numbers are doubles. A key is never deleted and never set
but by the compare-and-set below, so that whoever is slow moves nothing back.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha1

import attrs
import polars as pl
from redis.exceptions import NoScriptError, RedisError

from adapters.redis.connection import RedisConnection, translated
from adapters.redis.price_records import read, written
from domain.served.latest_price import LatestPrices

KEYS_AT_ONCE = 100
"""Of one call of the script, for which the server stands still: 0.5 ms."""
CALLS_AT_ONCE = 50
READ_AT_ONCE = 5_000

COMPARE_AND_SET = """
local set = 0
for at = 1, #KEYS do
  local held = redis.call('HGET', KEYS[at], 'version')
  if not held or held < ARGV[2 * at - 1] then
    redis.call('HSET', KEYS[at], 'version', ARGV[2 * at - 1], 'record', ARGV[2 * at])
    set = set + 1
  end
end
return set
"""
DIGEST = sha1(COMPARE_AND_SET.encode(), usedforsecurity=False).hexdigest()
"""By which Redis knows the script."""


def key_of(tenant_id: str, instrument_id: str) -> str:
    """The key of a latest price."""
    return f"tenant:{tenant_id}:latest:{instrument_id}"


@attrs.define
class RedisPriceCache:
    """Latest prices in Redis. Safe for threads and processes."""

    redis: RedisConnection
    restarts: int = attrs.field(init=False, default=0)
    """How often the server was found without our script: it began anew, and without what it held."""

    def upsert(self, rows: LatestPrices) -> None:
        """Set each row unless one of the same or a higher rank is there."""
        for calls in _portions(list(_calls(rows)), CALLS_AT_ONCE):
            self._run(calls)

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where the cache has none."""
        key = key_of(tenant_id, instrument_id)
        record = self.redis.asking("reading a latest price", lambda client: client.hget(key, "record"))
        return read(record) if isinstance(record, bytes) else LatestPrices.empty()

    def ranks(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return `series` and `rank` of those of these instruments that the cache has."""
        what = "comparing latest prices"
        names = keys.select("tenant_id", "instrument_id").iter_rows()
        versions: list[str | None] = []
        for calls in _portions([("HGET", key_of(*name), "version") for name in names], READ_AT_ONCE):
            versions += [_rank(reply, what) for reply in self.redis.pipelined(what, calls)]
        return keys.select("series", pl.Series("rank", versions, dtype=pl.String)).drop_nulls("rank")

    def _run(self, calls: Sequence[Sequence[str | int]]) -> None:
        what = "setting latest prices"
        replies = self.redis.pipelined(what, calls)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            # The server was restarted or flushed. Calls that did run change nothing the second time.
            self.restarts += 1
            self.redis.asking("loading the script", lambda client: client.script_load(COMPARE_AND_SET))
            replies = self.redis.pipelined(what, calls)
        for reply in replies:
            if isinstance(reply, RedisError):
                raise translated(reply, what) from reply


def _calls(rows: LatestPrices) -> Iterator[list[str | int]]:
    """Calls of the script, for at most so many rows each."""
    frame = rows.frame
    keys = [key_of(*names) for names in frame.select("tenant_id", "instrument_id").iter_rows()]
    for some in _portions(list(zip(keys, frame["rank"], written(rows), strict=True)), KEYS_AT_ONCE):
        arguments = [text for _, rank, record in some for text in (rank, record)]
        yield ["EVALSHA", DIGEST, len(some), *(key for key, *_ in some), *arguments]


def _rank(reply: object, what: str) -> str | None:
    if isinstance(reply, RedisError):
        raise translated(reply, what) from reply
    return reply.decode() if isinstance(reply, bytes) else None


def _portions(items: Sequence, size: int) -> Iterator[Sequence]:  # type: ignore[type-arg]
    return (items[begin : begin + size] for begin in range(0, len(items), size))
