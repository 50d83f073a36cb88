-- What became of records, how the services did, and who did what.

CREATE TABLE IF NOT EXISTS dead_letters
(
    stage LowCardinality(String),
    reason LowCardinality(String),
    field String,
    message String,
    topic String,
    partition Int32,
    offset Int64,
    row_index Int32,
    first_failed_at DateTime64(6, 'UTC'),
    retry_count UInt32,
    raw_base64 String EPHEMERAL '',
    raw String DEFAULT base64Decode(raw_base64),
    raw_sha256 String,
    service_version String
)
ENGINE = ReplacingMergeTree(retry_count)
ORDER BY (stage, topic, partition, offset, row_index)
SETTINGS index_granularity = 1024;

CREATE TABLE IF NOT EXISTS outcomes
(
    topic String,
    partition Int32,
    offset Int64,
    outcome LowCardinality(String),
    reason LowCardinality(String),
    ticks UInt32,
    rejected_rows Int32
)
ENGINE = ReplacingMergeTree(ticks)
ORDER BY (topic, partition, offset);

CREATE TABLE IF NOT EXISTS metrics_processing
(
    tenant_id String,
    ts DateTime64(6, 'UTC'),
    service LowCardinality(String),
    metric LowCardinality(String),
    labels Map(String, String),
    value Float64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (tenant_id, ts, service, metric);

CREATE TABLE IF NOT EXISTS audit_log
(
    tenant_id String,
    ts DateTime64(6, 'UTC'),
    actor String,
    action LowCardinality(String),
    object String,
    request_sha256 String,
    result LowCardinality(String),
    details Map(String, String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (tenant_id, ts, actor);
