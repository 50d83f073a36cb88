-- What is served: latest prices, and the two views that neighbours query by name.
-- Of two prices of one series the higher rank stays, at equal ranks the greater content. Both together outgrow the widest
-- number there is, so `precedence` is all digits of time, sequence and version, nine of the source and ten of the content.

CREATE TABLE IF NOT EXISTS served_latest
(
    tenant_id String,
    market LowCardinality(String),
    symbol String,
    instrument_id String,
    ts DateTime64(6, 'UTC'),
    price Decimal(18, 8),
    volume Nullable(Decimal(18, 8)),
    quality_flags_text String EPHEMERAL '',
    quality_flags Array(String) DEFAULT if(quality_flags_text = '', [], splitByChar(',', quality_flags_text)),
    source_id LowCardinality(String),
    source_seq UInt64,
    version UInt64,
    currency LowCardinality(String),
    unit LowCardinality(String),
    metadata_json String EPHEMERAL '{}',
    metadata Map(String, String) DEFAULT JSONExtract(metadata_json, 'Map(String, String)'),
    updated_at DateTime64(6, 'UTC'),
    rank_hex String EPHEMERAL '',
    rank UInt256 DEFAULT reinterpretAsUInt256(reverse(unhex(substring(rank_hex, 1, 64)))),
    content UInt64 DEFAULT reinterpretAsUInt64(reverse(unhex(substring(rank_hex, 65)))),
    precedence UInt256 DEFAULT reinterpretAsUInt256(reverse(unhex(concat(
        substring(rank_hex, 4, 45), substring(rank_hex, 49, 9), substring(rank_hex, 65, 10))))),
    CONSTRAINT someone_owns_it CHECK tenant_id != '' AND instrument_id != '',
    CONSTRAINT price_has_ten_digits CHECK abs(price) < 10000000000,
    CONSTRAINT rank_begins_with_the_time CHECK bitShiftRight(rank, 192) = toUnixTimestamp64Micro(ts)
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (tenant_id, instrument_id)
SETTINGS index_granularity = 256;

CREATE OR REPLACE VIEW served_market_ticks_latest AS
SELECT
    tenant_id,
    market,
    symbol,
    instrument_id,
    ts AS tick_timestamp,
    toFloat64(price) AS price,
    toFloat64(volume) AS volume,
    quality_flags,
    source_id,
    metadata,
    updated_at
FROM served_latest AS stored FINAL;

CREATE OR REPLACE VIEW served_market_ticks AS
SELECT
    tenant_id,
    market,
    symbol,
    instrument_id,
    ts AS tick_timestamp,
    toFloat64(price) AS price,
    toFloat64(volume) AS volume,
    quality_flags,
    source_id,
    metadata,
    normalized_at AS updated_at
FROM silver_ticks AS stored FINAL;

CREATE TABLE IF NOT EXISTS served_curve_snapshots
(
    tenant_id String,
    curve_id String,
    horizon String,
    as_of_date Date32,
    points String,
    interpolation_method String,
    quality_flags Array(String),
    currency LowCardinality(String),
    unit LowCardinality(String),
    revision UInt128,
    updated_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant_id, curve_id, horizon)
SETTINGS index_granularity = 256;
