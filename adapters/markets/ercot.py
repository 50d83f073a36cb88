"""ERCOT: locational prices, operating reserve demand curve, ancillary services, congestion rights. Source: contracts.md §1."""

from adapters.markets.feed import Feed, nodal, rights

_COMPONENTS = {"congestion_price": "mcc_usd_per_mwh", "loss_price": "mlc_usd_per_mwh"}

FEEDS = (
    nodal("dam", price="lmp_usd_per_mwh", id="LMP.DAM.node", components=_COMPONENTS),
    nodal("rtm", price="lmp_usd_per_mwh", id="LMP.RTM.node", components=_COMPONENTS),
    Feed(
        data_type="ordc",
        id="ORDC.reserve_zone",
        symbol=("reserve_zone",),
        price=("ordc_price_usd_per_mwh",),
        extras=("demand_curve_mw",),
    ),
    Feed(
        data_type="as",
        id="AS.as_type.zone",
        symbol=("as_type", "zone"),
        price=("cleared_price_usd_per_mwh",),
        volume="cleared_quantity_mw",
    ),
    rights("crr", "CRR.auction_type.path"),
)
