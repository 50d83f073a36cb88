-- What bars were before, as writers send it. The table made before had no writer and holds nothing.

DROP TABLE IF EXISTS bar_revisions;

CREATE TABLE bar_revisions
(
    tenant_id String,
    instrument_id String,
    `interval` LowCardinality(String),
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
    lineage_digest UInt64,
    known_at DateTime64(6, 'UTC'),
    CONSTRAINT someone_owns_it CHECK tenant_id != '' AND instrument_id != ''
)
ENGINE = ReplacingMergeTree(known_at)
PARTITION BY toYYYYMM(interval_start)
ORDER BY (tenant_id, instrument_id, `interval`, interval_start, revision)
SETTINGS index_granularity = 512;
