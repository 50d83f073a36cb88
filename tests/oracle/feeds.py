"""The table of feeds: what each data type of each market means."""

import attrs

EST = "Etc/GMT+5"
NEW_YORK = "America/New_York"
CHICAGO = "America/Chicago"
LOS_ANGELES = "America/Los_Angeles"
EDMONTON = "America/Edmonton"
MARKETS = ("miso", "caiso", "ercot", "pjm", "nyiso", "isone", "aeso")
DAY_CLOCK = {
    "MISO": EST,
    "CAISO": LOS_ANGELES,
    "ERCOT": CHICAGO,
    "PJM": NEW_YORK,
    "NYISO": NEW_YORK,
    "ISONE": NEW_YORK,
    "AESO": EDMONTON,
}
LABEL_CLOCK = {**DAY_CLOCK, "AESO": "UTC"}
TICKS_TOPIC = "ingestion.market.ticks.raw.v1"
NOT_PRICES = ("outages", "alberta_internal_load")
NOT_PRICES_PREFIX = "current_supply_demand_"
MINUTE = 60
HOUR = 3600
DAY = 86_400


@attrs.frozen(kw_only=True)
class Feed:
    """One row of the table."""

    kind: str = ""
    """First part of the id after the market; empty: the type in upper case."""
    parts: tuple[str, ...] = ("node",)
    """Fields that make the rest of the id, in order; RUN is the market run."""
    symbol: tuple[str, ...] = ("node",)
    """The first of these fields that is there."""
    price: str = "lmp_usd_per_mwh"
    volume: str | None = None
    unit: str = "MWh"
    currency: str = "USD"
    components: tuple[str, str, str] = ("", "congestion_usd_per_mwh", "loss_usd_per_mwh")
    """Fields of energy, congestion and loss; empty where the market has no such field."""
    time: str = "timestamp"
    end: str | None = None
    granularity: str = "instant"
    """instant, day or month."""
    length: int | None = None
    horizon: int = 8 * DAY
    sequence: str | None = None
    has_run: bool = False


def located(**fields: object) -> Feed:
    return Feed(kind="LMP", parts=("RUN", "node"), has_run=True, **fields)  # type: ignore[arg-type]


def auction(parts: tuple[str, ...], symbol: str, price: str, volume: str, unit: str, **fields: object) -> Feed:
    return Feed(
        parts=parts,
        symbol=(symbol,),
        price=price,
        volume=volume,
        unit=unit,
        time="auction_date",
        granularity="day",
        horizon=400 * DAY,
        **fields,  # type: ignore[arg-type]
    )


PER_MW = "clearing_price_usd_per_mw"
PER_MW_DAY = "clearing_price_usd_per_mw_day"
PER_KW_MONTH = "clearing_price_usd_per_kw_month"
AWARDED = "awarded_quantity_mw"
OBLIGATION = "capacity_obligations_mw"
CLEARED_PRICE = "cleared_price_usd_per_mwh"
CLEARED = "cleared_quantity_mw"
RIGHT = ("auction", "class_type", "path")

FEEDS = {
    ("miso", "lmp"): located(components=("energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh")),
    ("pjm", "lmp"): located(),
    ("pjm", "rtm_lmp"): located(),
    ("isone", "lmp"): located(),
    ("isone", "rt_lmp"): located(),
    ("nyiso", "lbmp"): Feed(kind="LBMP", parts=("RUN", "node"), has_run=True, price="lbmp_usd_per_mwh"),
    ("nyiso", "rt_lbmp"): Feed(kind="LBMP", parts=("RUN", "node"), has_run=True, price="lbmp_usd_per_mwh"),
    ("ercot", "dam"): Feed(kind="LMP.DAM", length=HOUR, components=("", "mcc_usd_per_mwh", "mlc_usd_per_mwh")),
    ("ercot", "rtm"): Feed(
        kind="LMP.RTM", length=15 * MINUTE, horizon=5 * MINUTE, components=("", "mcc_usd_per_mwh", "mlc_usd_per_mwh")
    ),
    ("miso", "as"): Feed(
        parts=("product", "zone"), symbol=("product", "zone"), price=CLEARED_PRICE, volume=CLEARED, length=HOUR
    ),
    ("ercot", "as"): Feed(
        parts=("as_type", "zone"), symbol=("as_type", "zone"), price=CLEARED_PRICE, volume=CLEARED, length=HOUR
    ),
    ("ercot", "ordc"): Feed(
        parts=("reserve_zone",), symbol=("reserve_zone",), price="ordc_price_usd_per_mwh", length=HOUR
    ),
    ("miso", "pra"): auction(("planning_year", "planning_zone"), "planning_zone", PER_MW_DAY, AWARDED, "MW-day"),
    ("pjm", "rpm"): auction(("auction", "lda"), "lda", PER_MW_DAY, OBLIGATION, "MW-day"),
    ("miso", "arr"): auction(RIGHT, "path", PER_MW, AWARDED, "MW", sequence="round_id"),
    ("miso", "tcr"): auction(RIGHT, "path", PER_MW, AWARDED, "MW", sequence="round_id"),
    ("pjm", "tcr"): auction(RIGHT, "path", PER_MW, AWARDED, "MW", sequence="round_id"),
    ("nyiso", "tcc"): auction(RIGHT, "path", PER_MW, AWARDED, "MW"),
    ("isone", "ftr"): auction(RIGHT, "path", PER_MW, AWARDED, "MW"),
    ("ercot", "crr"): auction(("auction_type", "path"), "path", PER_MW, AWARDED, "MW"),
    ("isone", "fcm"): auction(
        ("auction", "capacity_zone"), "capacity_zone", PER_KW_MONTH, OBLIGATION, "kW-month", sequence="auction_round"
    ),
    ("nyiso", "icap"): Feed(
        parts=("capacity_zone",),
        symbol=("capacity_zone",),
        price="icap_demand_curve_price_usd_per_kw_month",
        volume=OBLIGATION,
        unit="kW-month",
        time="month",
        granularity="month",
        horizon=400 * DAY,
    ),
    ("aeso", "pool_price"): Feed(
        parts=(),
        symbol=(),
        price="pool_price_cad_per_mwh",
        currency="CAD",
        time="begin_datetime_utc",
        length=HOUR,
        horizon=HOUR,
    ),
    ("aeso", "system_marginal_price"): Feed(
        parts=(),
        symbol=(),
        price="system_marginal_price_cad_per_mwh",
        volume="volume_mwh",
        currency="CAD",
        time="begin_datetime_utc",
        end="end_datetime_utc",
        horizon=HOUR,
    ),
}
FIXED_SYMBOL = {"pool_price": "POOL", "system_marginal_price": "SMP"}

RUNS = {
    ("miso", "lmp", "DA"): ("start", HOUR, 8 * DAY),
    ("miso", "lmp", "RT_HOURLY"): ("start", HOUR, 5 * MINUTE),
    ("miso", "lmp", "RT"): ("end", 5 * MINUTE, 5 * MINUTE),
    ("pjm", "lmp", "DA"): ("start", HOUR, 8 * DAY),
    ("pjm", "lmp", "RT"): ("start", 5 * MINUTE, 5 * MINUTE),
    ("pjm", "rtm_lmp", "RT"): ("start", 5 * MINUTE, 5 * MINUTE),
    ("isone", "lmp", "DA"): ("start", HOUR, 8 * DAY),
    ("isone", "lmp", "RT"): ("start", 5 * MINUTE, 5 * MINUTE),
    ("isone", "rt_lmp", "RT"): ("start", 5 * MINUTE, 5 * MINUTE),
    ("nyiso", "lbmp", "DA"): ("start", HOUR, 8 * DAY),
    ("nyiso", "lbmp", "RT"): ("end", 15 * MINUTE, 5 * MINUTE),
    ("nyiso", "rt_lbmp", "RT"): ("end", 5 * MINUTE, 5 * MINUTE),
}
"""Label, length and horizon of the feeds whose message says the run."""
