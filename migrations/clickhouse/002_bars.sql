-- Bars of one interval. The text is run once for each enabled interval, with {interval} replaced by its name.
-- Which of two bars of one key stays is decided by epochs and versions, then content, then finality: `precedence` is the
-- revision with the digest above its last 8 bits.
-- Granules are small: coarser bars are folded from many short reads of finer ones.

CREATE TABLE IF NOT EXISTS bars_{interval}
(
    tenant_id String,
    instrument_id String,
    market LowCardinality(String),
    interval_start DateTime64(6, 'UTC'),
    interval_end DateTime64(6, 'UTC'),
    open_ts DateTime64(6, 'UTC'),
    close_ts DateTime64(6, 'UTC'),
    open_price Decimal(18, 8),
    high_price Decimal(18, 8),
    low_price Decimal(18, 8),
    close_price Decimal(18, 8),
    mean_price Decimal(18, 8),
    price_sum Decimal(38, 8),
    volume Nullable(Decimal(38, 8)),
    notional Nullable(Decimal(38, 16)),
    vwap Nullable(Decimal(18, 8)),
    trade_count UInt64,
    quality_flags_text String EPHEMERAL '',
    quality_flags Array(String) DEFAULT if(quality_flags_text = '', [], splitByChar(',', quality_flags_text)),
    currency LowCardinality(String),
    unit LowCardinality(String),
    state LowCardinality(String),
    reason LowCardinality(String),
    revision_text String EPHEMERAL '0',
    revision UInt128 DEFAULT toUInt128(revision_text),
    lineage_spans Array(Tuple(partition String, first_offset Int64, last_offset Int64)) EPHEMERAL [],
    lineage_partitions Map(String, Tuple(first_offset Int64, last_offset Int64))
        DEFAULT mapFromArrays(arrayMap(span -> span.1, lineage_spans), arrayMap(span -> (span.2, span.3), lineage_spans)),
    lineage_digest_text String EPHEMERAL '0',
    lineage_digest UInt128 DEFAULT toUInt128(lineage_digest_text),
    precedence UInt256 DEFAULT bitOr(bitOr(
        bitShiftLeft(toUInt256(bitShiftRight(revision, 8)), 136), bitShiftLeft(toUInt256(lineage_digest), 8)),
        toUInt256(bitAnd(revision, 255))),
    CONSTRAINT someone_owns_it CHECK tenant_id != '' AND instrument_id != '',
    CONSTRAINT made_of_ticks CHECK trade_count > 0,
    CONSTRAINT prices_lie_between CHECK low_price <= open_price AND low_price <= close_price
        AND open_price <= high_price AND close_price <= high_price,
    CONSTRAINT ticks_lie_within CHECK interval_start <= open_ts AND open_ts <= close_ts AND close_ts < interval_end,
    CONSTRAINT state_is_known CHECK state IN ('provisional', 'final', 'revised')
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY toYYYYMM(interval_start)
ORDER BY (tenant_id, instrument_id, interval_start)
SETTINGS index_granularity = 512;
