-- Curves, and what is computed beside bars: ladders, spreads and rolling figures.

CREATE TABLE IF NOT EXISTS curves_base
(
    tenant_id String,
    curve_id String,
    as_of_date Date32,
    delivery_start DateTime64(6, 'UTC'),
    delivery_end DateTime64(6, 'UTC'),
    hours Float64,
    price Float64,
    instrument_ids Array(String),
    revision UInt128,
    CONSTRAINT price_is_a_number CHECK isFinite(price)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY as_of_date
ORDER BY (tenant_id, curve_id, as_of_date, delivery_start);

CREATE TABLE IF NOT EXISTS curves_computed
(
    tenant_id String,
    curve_id String,
    as_of_date Date32,
    method LowCardinality(String),
    delivery_start DateTime64(6, 'UTC'),
    delivery_end DateTime64(6, 'UTC'),
    price Float64,
    origin LowCardinality(String),
    confidence Nullable(Float64),
    revision UInt128,
    CONSTRAINT price_is_a_number CHECK isFinite(price)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY as_of_date
ORDER BY (tenant_id, curve_id, as_of_date, delivery_start, method);

CREATE TABLE IF NOT EXISTS curve_inputs
(
    tenant_id String,
    curve_id String,
    as_of_date Date32,
    instrument_id String,
    period String,
    block LowCardinality(String),
    price Float64,
    priority Int32,
    included Bool,
    reason String,
    redundant Bool,
    residual Nullable(Float64),
    tolerance Nullable(Float64),
    version UInt64,
    revision UInt128
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY as_of_date
ORDER BY (tenant_id, curve_id, as_of_date, instrument_id, period, block);

CREATE TABLE IF NOT EXISTS curve_revisions
(
    tenant_id String,
    curve_id String,
    as_of DateTime64(6, 'UTC'),
    revision UInt128,
    as_of_date Date32,
    method LowCardinality(String),
    points String,
    known_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(known_at)
PARTITION BY toYYYYMM(as_of)
ORDER BY (tenant_id, curve_id, as_of, revision);

CREATE TABLE IF NOT EXISTS forward_ladders
(
    tenant_id String,
    curve_id String,
    as_of_date Date32,
    tenor LowCardinality(String),
    delivery_start DateTime64(6, 'UTC'),
    delivery_end DateTime64(6, 'UTC'),
    hours Float64,
    price Nullable(Float64),
    origin LowCardinality(String),
    quote_ts Nullable(DateTime64(6, 'UTC')),
    quote_age_s Nullable(Float64),
    change_1 Nullable(Float64),
    change_settle Nullable(Float64),
    residual Nullable(Float64),
    revision UInt128
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(as_of_date)
ORDER BY (tenant_id, curve_id, as_of_date, tenor);

CREATE TABLE IF NOT EXISTS spreads
(
    tenant_id String,
    spread_id String,
    kind LowCardinality(String),
    ts DateTime64(6, 'UTC'),
    value Nullable(Float64),
    legs Map(String, Float64),
    leg_age_s Nullable(Float64),
    quality_flags Array(String),
    revision UInt128
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(ts)
ORDER BY (tenant_id, spread_id, ts);

CREATE TABLE IF NOT EXISTS rolling_metrics
(
    tenant_id String,
    instrument_id String,
    metric LowCardinality(String),
    window LowCardinality(String),
    ts DateTime64(6, 'UTC'),
    value Nullable(Float64),
    count UInt64,
    revision UInt128
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(ts)
ORDER BY (tenant_id, instrument_id, metric, window, ts);
