"""AESO: pool price and system marginal price, in Canadian dollars, one series each. Source: contracts.md §1."""

from adapters.markets.feed import Feed

FEEDS = (
    Feed(
        data_type="pool_price",
        id="POOL_PRICE",
        symbol=(),
        fixed_symbol="POOL",
        time="begin_datetime_utc",
        price=("pool_price_cad_per_mwh",),
        extras=("forecast_pool_price_cad_per_mwh", "rolling_30day_avg_cad_per_mwh"),
        unused=("begin_datetime_mpt",),
        currency="CAD",
    ),
    Feed(
        data_type="system_marginal_price",
        id="SYSTEM_MARGINAL_PRICE",
        symbol=(),
        fixed_symbol="SMP",
        time="begin_datetime_utc",
        end_time="end_datetime_utc",
        price=("system_marginal_price_cad_per_mwh",),
        volume="volume_mwh",
        unused=("begin_datetime_mpt", "end_datetime_mpt"),
        currency="CAD",
    ),
)
