"""ISO New England: locational prices, forward capacity and transmission-rights auctions. Source: contracts.md §1."""

from adapters.markets.feed import Feed, nodal, rights

FEEDS = (
    nodal("lmp", price="lmp_usd_per_mwh"),
    nodal("rt_lmp", price="lmp_usd_per_mwh"),
    Feed(
        data_type="fcm",
        id="FCM.auction.capacity_zone",
        symbol=("capacity_zone",),
        time="auction_date",
        price=("clearing_price_usd_per_kw_month",),
        volume="capacity_obligations_mw",
        sequence="auction_round",
        unit="kW-month",
    ),
    rights("ftr", "FTR.auction.class_type.path"),
)
