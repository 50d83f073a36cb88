-- Clean ticks, and the same with what is known of their instruments.
-- A column named *_text or *_json is never stored: writers send it, and the column after it is made of it.
-- Of two statements of one key the newer stays, at equal versions the one of the greater content: `precedence`. Writers
-- send a digest of the content; of one content the newer metadata stays.
-- Every copy of a key lies in one partition, because `ts` is part of the key: FINAL is exact partition by partition.

CREATE TABLE IF NOT EXISTS silver_ticks
(
    tenant_id String,
    market LowCardinality(String),
    symbol String,
    instrument_id String,
    source_id LowCardinality(String),
    ts DateTime64(6, 'UTC'),
    ingested_at DateTime64(6, 'UTC'),
    normalized_at DateTime64(6, 'UTC'),
    interval_end Nullable(DateTime64(6, 'UTC')),
    source_seq UInt64,
    version UInt64,
    price Decimal(18, 8),
    volume Nullable(Decimal(18, 8)),
    bid_price Nullable(Decimal(18, 8)),
    ask_price Nullable(Decimal(18, 8)),
    energy_price Nullable(Decimal(18, 8)),
    congestion_price Nullable(Decimal(18, 8)),
    loss_price Nullable(Decimal(18, 8)),
    currency LowCardinality(String),
    unit LowCardinality(String),
    data_type LowCardinality(String),
    market_run LowCardinality(String),
    quality_flags_text String EPHEMERAL '',
    quality_flags Array(String) DEFAULT if(quality_flags_text = '', [], splitByChar(',', quality_flags_text)),
    metadata_json String EPHEMERAL '{}',
    metadata Map(String, String) DEFAULT JSONExtract(metadata_json, 'Map(String, String)'),
    raw_topic LowCardinality(String),
    raw_partition Int32,
    raw_offset Int64,
    raw_index Int32,
    content UInt64 EPHEMERAL 0,
    precedence UInt128 DEFAULT toUInt128(version) * toUInt128('18446744073709551616') + content,
    CONSTRAINT someone_owns_it CHECK tenant_id != '' AND instrument_id != '',
    CONSTRAINT price_has_ten_digits CHECK abs(price) < 10000000000,
    CONSTRAINT time_is_plausible CHECK ts >= '1970-01-01 00:00:00' AND ts < '2100-01-01 00:00:00',
    CONSTRAINT interval_ends_after_its_start CHECK ifNull(interval_end > ts, 1)
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY toYYYYMMDD(ts)
ORDER BY (tenant_id, instrument_id, ts, source_id, source_seq)
SETTINGS index_granularity = 2048;

CREATE TABLE IF NOT EXISTS enriched_ticks
(
    tenant_id String,
    market LowCardinality(String),
    symbol String,
    instrument_id String,
    source_id LowCardinality(String),
    ts DateTime64(6, 'UTC'),
    ingested_at DateTime64(6, 'UTC'),
    normalized_at DateTime64(6, 'UTC'),
    interval_end Nullable(DateTime64(6, 'UTC')),
    source_seq UInt64,
    version UInt64,
    price Decimal(18, 8),
    volume Nullable(Decimal(18, 8)),
    bid_price Nullable(Decimal(18, 8)),
    ask_price Nullable(Decimal(18, 8)),
    energy_price Nullable(Decimal(18, 8)),
    congestion_price Nullable(Decimal(18, 8)),
    loss_price Nullable(Decimal(18, 8)),
    currency LowCardinality(String),
    unit LowCardinality(String),
    data_type LowCardinality(String),
    market_run LowCardinality(String),
    quality_flags_text String EPHEMERAL '',
    quality_flags Array(String) DEFAULT if(quality_flags_text = '', [], splitByChar(',', quality_flags_text)),
    metadata_json String EPHEMERAL '{}',
    metadata Map(String, String) DEFAULT JSONExtract(metadata_json, 'Map(String, String)'),
    raw_topic LowCardinality(String),
    raw_partition Int32,
    raw_offset Int64,
    raw_index Int32,
    commodity String,
    region String,
    product_tier String,
    taxonomy_json String EPHEMERAL '{}',
    taxonomy Map(String, String) DEFAULT JSONExtract(taxonomy_json, 'Map(String, String)'),
    tags_json String EPHEMERAL '[]',
    tags Array(String) DEFAULT JSONExtract(tags_json, 'Array(String)'),
    metadata_version UInt64,
    row_version UInt128 DEFAULT toUInt128(version) * toUInt128('18446744073709551616') + metadata_version,
    content UInt64 EPHEMERAL 0,
    precedence UInt256 DEFAULT toUInt256(version) * toUInt256('340282366920938463463374607431768211456')
        + toUInt256(content) * toUInt256('18446744073709551616') + metadata_version,
    CONSTRAINT someone_owns_it CHECK tenant_id != '' AND instrument_id != '',
    CONSTRAINT price_has_ten_digits CHECK abs(price) < 10000000000,
    CONSTRAINT time_is_plausible CHECK ts >= '1970-01-01 00:00:00' AND ts < '2100-01-01 00:00:00'
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY toYYYYMMDD(ts)
ORDER BY (tenant_id, instrument_id, ts, source_id, source_seq)
SETTINGS index_granularity = 2048;
