-- What bars were before, as writers send it: the carriers that bars_* have as well.

ALTER TABLE bar_revisions
    ADD COLUMN IF NOT EXISTS quality_flags_text String EPHEMERAL '',
    ADD COLUMN IF NOT EXISTS revision_text String EPHEMERAL '0',
    ADD COLUMN IF NOT EXISTS lineage_digest_text String EPHEMERAL '0',
    ADD COLUMN IF NOT EXISTS lineage_spans
        Array(Tuple(partition String, first_offset Int64, last_offset Int64)) EPHEMERAL [],
    MODIFY COLUMN quality_flags Array(String)
        DEFAULT if(quality_flags_text = '', [], splitByChar(',', quality_flags_text)),
    MODIFY COLUMN revision UInt128 DEFAULT toUInt128(revision_text),
    MODIFY COLUMN lineage_digest UInt128 DEFAULT toUInt128(lineage_digest_text),
    MODIFY COLUMN lineage_partitions Map(String, Tuple(first_offset Int64, last_offset Int64))
        DEFAULT mapFromArrays(arrayMap(span -> span.1, lineage_spans), arrayMap(span -> (span.2, span.3), lineage_spans));
