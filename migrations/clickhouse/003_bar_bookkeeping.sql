-- Up to where each instrument is closed, what bars were before, and which formulas own them.

CREATE TABLE IF NOT EXISTS bar_seals
(
    tenant_id String,
    instrument_id String,
    partition Int32,
    sealed_until DateTime64(6, 'UTC'),
    CONSTRAINT someone_owns_it CHECK tenant_id != '' AND instrument_id != ''
)
ENGINE = ReplacingMergeTree(sealed_until)
ORDER BY (tenant_id, instrument_id)
SETTINGS index_granularity = 1024;

CREATE TABLE IF NOT EXISTS bar_revisions
(
    tenant_id String,
    instrument_id String,
    interval LowCardinality(String),
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
    quality_flags Array(String),
    currency LowCardinality(String),
    unit LowCardinality(String),
    state LowCardinality(String),
    reason LowCardinality(String),
    revision UInt128,
    lineage_partitions Map(String, Tuple(first_offset Int64, last_offset Int64)),
    lineage_digest UInt128,
    known_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(known_at)
PARTITION BY toYYYYMM(interval_start)
ORDER BY (tenant_id, instrument_id, interval, interval_start, revision, lineage_digest)
SETTINGS index_granularity = 512;

CREATE TABLE IF NOT EXISTS logic_epochs
(
    epoch UInt32,
    marked_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(marked_at)
ORDER BY epoch;
