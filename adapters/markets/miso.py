"""MISO: locational prices, ancillary services, capacity and transmission-rights auctions. Source: contracts.md §1."""

from adapters.markets.feed import Feed, nodal, rights

FEEDS = (
    nodal("lmp", price="lmp_usd_per_mwh", energy=True),
    Feed(
        data_type="as",
        id="AS.product.zone",
        symbol=("product", "zone"),
        price=("cleared_price_usd_per_mwh",),
        volume="cleared_quantity_mw",
    ),
    Feed(
        data_type="pra",
        id="PRA.planning_year.planning_zone",
        symbol=("planning_zone",),
        time="auction_date",
        price=("clearing_price_usd_per_mw_day", "clearing_price_usd_per_mw"),
        volume="awarded_quantity_mw",
        sequence="round_id",
        extras=("auction",),
        unit="MW-day",
    ),
    rights("arr", "ARR.auction.class_type.path"),
    rights("tcr", "TCR.auction.class_type.path"),
)
