"""Who is who: tenants, instruments, keys, versions. Source: contracts.md §2."""

import polars as pl

SERIES = pl.Categorical(pl.Categories("series"))
"""Type of the column that keys events, `tenant_id|instrument_id`; its physical code is stable within a process."""
