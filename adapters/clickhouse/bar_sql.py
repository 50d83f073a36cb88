"""
The domain's bar rules as ClickHouse SQL.

Each function says once more what one of the domain says; a property test holds both to the same digits and revisions:

    domain.silver.tick    digest, key_digests, content_digests   → digest, KEY_NUMBERS, CONTENT
    domain.gold.window    in_order, parts_of_ticks               → parts_of_ticks
    domain.gold.bar       digest_of                              → digest_of
    domain.gold.bar       parts_of_bars, fold, with_epoch, vwap  → parts_of_bars, folded
    domain.gold.bar       precedence                             → _precedence
    domain.gold.settling  settle                                 → settled

The arithmetic is that of whole numbers: sums of decimals are exact, quotients are rounded half-even once, digests wrap
at 64 bits. Hashes are taken of LowCardinality texts, of which the engine computes each distinct one once a block.
Names that the engine gives parts differ from those of columns: an aggregate under its source's name would hide it.
"""

from domain.gold.bar import CONTENT as BAR_CONTENT
from domain.gold.bar import FINALITY_BITS, LOGIC_EPOCH, State
from domain.gold.interval import MINUTE_US, Interval
from domain.identity import COORDINATE_SLOTS
from domain.silver.quality import BAR_FLAGS, Flag
from domain.silver.tick import CONTENT_FLAGS, CONTENT_LABELS, CONTENT_NUMBERS, DIGEST_ODDS, DIGEST_SEED, DIGEST_SPREAD

NULL = 0x9E3779B97F4A7C15
LARGEST_NOTIONAL = "9.9e21"
VWAP_UNITS = 10**18
"""A quotient of this many hundred-millionths has more than ten digits before the point."""

SETTINGS = "enable_extended_results_for_datetime_functions = 1, optimize_on_insert = 0"
"""Without the first a day that begins before 1970 in UTC would be cut; the second leaves replacing to FINAL and merges."""

_NAMES = [str(flag.name) for flag in sorted(Flag)]
_BITS = [int(flag) for flag in sorted(Flag)]
# Constants of ours, written out: the engine looks constants up faster than parameters.


def text_hash(text: str) -> str:
    """`domain.identity.text_hash` of an expression."""
    return f"reinterpretAsUInt64(reverse(substring(SHA256(toLowCardinality({text})), 1, 8)))"


def flag_bits(names: str) -> str:
    """The bitmask of an array of flag names."""
    return f"if(empty({names}), toUInt64(0), arraySum(name -> transform(name, {_NAMES}, {_BITS}, 0), {names}))"


def flag_names(bits: str) -> str:
    """The sorted flag names of a bitmask."""
    named = f"arraySort(arrayMap(bit -> transform(bit, {_BITS}, {_NAMES}, ''), bitmaskToArray(toUInt32({bits}))))"
    return f"if({bits} = 0, [], {named})"


def half_even(dividend: str, divisor: str) -> str:
    """The quotient of two whole numbers (Int128), the divisor above zero, rounded half-even."""
    whole = f"intDiv({dividend}, {divisor})"
    twice = f"2 * abs({dividend} - {whole} * {divisor})"
    return f"{whole} + if({twice} > {divisor} OR ({twice} = {divisor} AND {whole} % 2 != 0), sign({dividend}), 0)"


def digest(numbers: list[str]) -> str:
    """`domain.silver.tick.digest` of expressions. An array of one gives a name to what is read twice."""
    products = [f"{number} * toUInt64({odd})" for number, odd in zip(numbers, DIGEST_ODDS, strict=False)]
    total = f"toUInt64({DIGEST_SEED}) + {' + '.join(products)}"
    product = _folded_once("total", total) + f" * toUInt64({DIGEST_SPREAD})"
    return _folded_once("product", product)


def digest_of(key: str, content: str) -> str:
    """`domain.gold.bar.digest_of` of expressions."""
    bound = f"toUInt128({content}) * bitOr(intDiv(key, {1 << 32}), toUInt64(1)) + key"
    return f"arrayMap(key -> {bound}, [{key}])[1]"


def _folded_once(name: str, number: str) -> str:
    return f"arrayMap({name} -> bitXor({name}, bitShiftRight({name}, 32)), [{number}])[1]"


def rank(*parts: str) -> str:
    """Four numbers of 64 bits as one that compares as they do in turn: aggregates compare numbers far faster than tuples."""
    shifted = [
        f"bitShiftLeft(toUInt256({part}), {64 * place})" for place, part in zip((3, 2, 1, 0), parts, strict=True)
    ]
    return f"bitOr(bitOr({shifted[0]}, {shifted[1]}), bitOr({shifted[2]}, {shifted[3]}))"


def _unsigned(column: str) -> str:
    whole = f"toUnixTimestamp64Micro({column})" if column in {"ts", "interval_end"} else column
    number = f"reinterpretAsUInt64({whole})"
    return number if column in {"ts", "price"} else f"ifNull({number}, toUInt64({NULL}))"


KEY_NUMBERS = [
    text_hash("concat(tenant_id, '|', instrument_id)"),
    _unsigned("ts"),
    text_hash("source_id"),
    "source_seq",
]
CONTENT = [
    *(_unsigned(name) for name in CONTENT_NUMBERS),
    *map(text_hash, CONTENT_LABELS),
    f"bitAnd({flag_bits('quality_flags')}, {int(CONTENT_FLAGS)})",
]


def period_start_us(interval: Interval, instant: str, clock: str) -> str:
    """The first µs of the period an instant belongs to."""
    if interval.is_day:
        return f"toUnixTimestamp64Micro(toDateTime64(toStartOfDay({instant}, '{clock}'), 6, 'UTC'))"
    length_us = interval.minutes * MINUTE_US
    return f"intDiv(toUnixTimestamp64Micro({instant}), {length_us}) * {length_us}"


def period_end(interval: Interval, start_us: str, clock: str) -> str:
    """The first instant after the period that begins at this µs."""
    if interval.is_day:
        return f"toDateTime64(addDays(fromUnixTimestamp64Micro({start_us}, '{clock}'), 1), 6, 'UTC')"
    return f"fromUnixTimestamp64Micro({start_us} + {interval.minutes * MINUTE_US}, 'UTC')"


def parts_of_ticks(source: str, where: str, interval: Interval) -> str:
    """Ticks as bars of one, ready to be folded; none from beyond its feed's horizon."""
    return f"""
        SELECT
            tenant_id, instrument_id, market, currency, unit,
            {period_start_us(interval, "ts", "")} AS start_us,
            {rank("toUnixTimestamp64Micro(ts)", "source_seq", "version", text_hash("source_id"))} AS place,
            ts AS first_ts, ts AS last_ts,
            fromUnixTimestamp64Micro(toInt64(intDiv(version, {COORDINATE_SLOTS})), 'UTC') AS known,
            price AS first_price, price AS last_price, price AS high, price AS low, price AS total,
            volume AS quantity,
            toDecimal128(price, 8) * volume AS turnover,
            toUInt64(1) AS ticks,
            toUInt128(version) AS weight,
            {digest_of(digest(KEY_NUMBERS), digest(CONTENT))} AS digest,
            bitAnd({flag_bits("quality_flags")}, {int(BAR_FLAGS)}) AS bits,
            map(concat(raw_topic, '/', toString(raw_partition)), raw_offset) AS firsts,
            firsts AS lasts
        FROM {source} FINAL
        WHERE {where} AND NOT has(quality_flags, '{Flag.TS_FUTURE.name}')
    """  # noqa: S608 (names of ours)


def parts_of_bars(source: str, where: str, interval: Interval, clock: str) -> str:
    """Stored bars of a finer interval as parts of a coarser one."""
    return f"""
        SELECT
            tenant_id, instrument_id, market, currency, unit,
            {period_start_us(interval, "interval_start", clock)} AS start_us,
            toUnixTimestamp64Micro(interval_start) AS place,
            open_ts AS first_ts, close_ts AS last_ts, known_at AS known,
            open_price AS first_price, close_price AS last_price,
            high_price AS high, low_price AS low, price_sum AS total,
            volume AS quantity, notional AS turnover, trade_count AS ticks,
            intDiv(revision, {FINALITY_BITS}) AS weight,
            lineage_digest AS digest,
            {flag_bits("quality_flags")} AS bits,
            mapApply((origin, span) -> (origin, span.1), lineage_partitions) AS firsts,
            mapApply((origin, span) -> (origin, span.2), lineage_partitions) AS lasts
        FROM {source} FINAL
        WHERE {where}
    """  # noqa: S608 (names of ours)


def with_epoch(weight: str) -> str:
    """The weight of a bar, with the epoch of this formula where it is made of ticks; bars have their epochs already."""
    return f"{weight} + if({weight} < bitShiftLeft(toUInt128(1), 104), bitShiftLeft(toUInt128({LOGIC_EPOCH}), 104), 0)"


def folded(parts: str, interval: Interval, clock: str) -> str:
    """One row a bar, of parts."""
    mean_units = half_even("reinterpretAsInt128(total_sum)", "toInt128(tick_sum)")
    vwap_units = half_even("turnover_units", "quantity_units")
    return f"""
        SELECT
            tenant_id, instrument_id, last_market AS market, last_currency AS currency, last_unit AS unit,
            open_ts, close_ts, open_price, highest AS high_price, lowest AS low_price, close_price,
            fromUnixTimestamp64Micro(start_us, 'UTC') AS interval_start,
            {period_end(interval, "start_us", clock)} AS interval_end,
            total_sum AS price_sum, quantity_sum AS volume, tick_sum AS trade_count,
            if(quantities = turnovers AND turnover_size < {LARGEST_NOTIONAL}, turnover_sum, NULL) AS notional,
            reinterpret(toInt64({mean_units}), 'Decimal(18, 8)') AS mean_price,
            reinterpretAsInt128(assumeNotNull(notional)) AS turnover_units,
            greatest(reinterpretAsInt128(assumeNotNull(volume)), toInt128(1)) AS quantity_units,
            {vwap_units} AS vwap_units,
            if(ifNull(volume > 0 AND notional IS NOT NULL, 0) AND abs(vwap_units) < {VWAP_UNITS},
                reinterpret(toInt64(vwap_units), 'Decimal(18, 8)'), NULL) AS vwap,
            weights, digests AS lineage_digest, last_known AS known_at,
            {flag_names("flag_union")} AS quality_flags,
            mapFromArrays(mapKeys(lows), arrayZip(mapValues(lows), mapValues(highs))) AS lineage_partitions
        FROM (
            SELECT
                tenant_id, instrument_id, start_us,
                min(first_ts) AS open_ts, max(last_ts) AS close_ts, max(known) AS last_known,
                argMin(first_price, place) AS open_price, argMax(last_price, place) AS close_price,
                argMax(market, place) AS last_market, argMax(currency, place) AS last_currency,
                argMax(unit, place) AS last_unit,
                max(high) AS highest, min(low) AS lowest, sum(total) AS total_sum,
                sum(quantity) AS quantity_sum, count(quantity) AS quantities,
                sum(turnover) AS turnover_sum, count(turnover) AS turnovers, sum(abs(toFloat64(turnover))) AS turnover_size,
                sum(ticks) AS tick_sum, {with_epoch("sum(weight)")} AS weights, sum(digest) AS digests, groupBitOr(bits) AS flag_union,
                minMap(firsts) AS lows, maxMap(lasts) AS highs
            FROM ({parts})
            GROUP BY tenant_id, instrument_id, start_us
        )
    """  # noqa: S608 (names of ours)


_CONTENT_HASH = f"sipHash128(tuple({', '.join(BAR_CONTENT)}, volume IS NULL, notional IS NULL))"
# Stands for the content on both sides: a join on fifteen columns costs three times what all else does.

SETTLED_STATES = f"('{State.FINAL}', '{State.REVISED}')"

COMPUTED = (
    "tenant_id",
    "instrument_id",
    "market",
    "interval_start",
    "interval_end",
    "open_ts",
    "close_ts",
    "open_price",
    "high_price",
    "low_price",
    "close_price",
    "mean_price",
    "price_sum",
    "volume",
    "notional",
    "vwap",
    "trade_count",
    "quality_flags",
    "currency",
    "unit",
    "lineage_partitions",
    "lineage_digest",
    "known_at",
)
STORED = (*COMPUTED, "state", "reason", "revision")


def _precedence(revision: str, digest: str) -> str:
    """`domain.gold.bar.precedence` of expressions."""
    return f"tuple(intDiv({revision}, {FINALITY_BITS}), {digest}, {revision})"


def settled(bars: str, stored: str, where: str, seals: str) -> str:
    """
    State, reason and revision of computed bars beside what is stored of them, as domain.gold.settling.settle decides.

    Args:
        bars: A query of `folded` bars.
        stored: The table that keeps them.
        where: Which of its rows may stand beside them.
        seals: The table of seals.
    """
    return f"""
        SELECT
            {", ".join(f"bar.{name} AS {name}" for name in COMPUTED)},
            held.state != '' AND held.content = bar.content AS unchanged,
            held.state IN {SETTLED_STATES} AS was_settled,
            multiIf(
                unchanged AND was_settled, held.state,
                bar.interval_end > seal.sealed_until, '{State.PROVISIONAL}',
                was_settled, '{State.REVISED}',
                '{State.FINAL}'
            ) AS new_state,
            if(unchanged, held.reason, {{cause:String}}) AS new_reason,
            {_precedence("held.revision", "held.lineage_digest")} AS held_precedence,
            bar.weights * {FINALITY_BITS} + (new_state != '{State.PROVISIONAL}') AS new_revision
        FROM (SELECT *, {_CONTENT_HASH} AS content FROM ({bars})) AS bar
        LEFT JOIN (
            SELECT tenant_id, instrument_id, interval_start, state, reason, revision, lineage_digest, {_CONTENT_HASH} AS content
            FROM {stored} FINAL WHERE {where}
        ) AS held
          ON bar.tenant_id = held.tenant_id AND bar.instrument_id = held.instrument_id
         AND bar.interval_start = held.interval_start
        LEFT JOIN (SELECT tenant_id, instrument_id, sealed_until FROM {seals} FINAL WHERE tenant_id = {{tenant:String}}) AS seal
          ON bar.tenant_id = seal.tenant_id AND bar.instrument_id = seal.instrument_id
    """  # noqa: S608 (names of ours)


def storing(bars: str, stored: str) -> str:
    """Store `settled` bars."""
    return f"INSERT INTO {stored} ({', '.join(STORED)}) SELECT {_VALUES} FROM ({bars})"  # noqa: S608 (names of ours)


def remembering(bars: str, revisions: str, interval: Interval) -> str:
    """Remember what `settled` bars become, where that is news: asked before they are stored."""
    columns = ", ".join(("`interval`", *STORED))
    return f"""
        INSERT INTO {revisions} ({columns}) SELECT '{interval.name}', {_VALUES} FROM ({bars})
        WHERE NOT unchanged AND {_precedence("new_revision", "lineage_digest")} >= held_precedence
    """  # noqa: S608 (names of ours)


_VALUES = ", ".join((*COMPUTED, "new_state", "new_reason", "new_revision"))
