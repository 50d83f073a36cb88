"""Files: raw messages as JSON lines, tables as parquet."""
