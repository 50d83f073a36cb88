"""NYISO: locational prices, capacity and transmission-rights auctions. Source: contracts.md §1."""

from adapters.markets.feed import Feed, nodal, rights

FEEDS = (
    nodal("lbmp", price="lbmp_usd_per_mwh", id="LBMP.RUN.node"),
    nodal("rt_lbmp", price="lbmp_usd_per_mwh", id="LBMP.RUN.node"),
    Feed(
        data_type="icap",
        id="ICAP.capacity_zone",
        symbol=("capacity_zone",),
        time="month",
        price=("icap_demand_curve_price_usd_per_kw_month",),
        volume="capacity_obligations_mw",
        unit="kW-month",
    ),
    rights("tcc", "TCC.auction.class_type.path"),
)
