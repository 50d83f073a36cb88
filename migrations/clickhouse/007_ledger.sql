-- What became of raw messages, counted by partition and hour: the row that counts further stays.

CREATE TABLE IF NOT EXISTS ledger
(
    topic LowCardinality(String),
    partition Int32,
    hour DateTime64(6, 'UTC'),
    messages Int64,
    accepted Int64,
    filtered Int64,
    dead_letter Int64,
    rows Int64,
    ticks Int64,
    rejected_rows Int64,
    corrections Int64,
    counted_to UInt64
)
ENGINE = ReplacingMergeTree(counted_to)
ORDER BY (topic, partition, hour)
SETTINGS index_granularity = 1024;
