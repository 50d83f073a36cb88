"""PJM: locational prices, capacity and transmission-rights auctions. Source: contracts.md §1."""

from adapters.markets.feed import Feed, nodal, rights

FEEDS = (
    nodal("lmp", price="lmp_usd_per_mwh"),
    nodal("rtm_lmp", price="lmp_usd_per_mwh"),
    Feed(
        data_type="rpm",
        id="RPM.auction.lda",
        symbol=("lda",),
        time="auction_date",
        price=("clearing_price_usd_per_mw_day", "clearing_price_usd_per_mw"),
        volume="capacity_obligations_mw",
        extras=("auction_type",),
        unit="MW-day",
    ),
    rights("tcr", "TCR.auction.class_type.path"),
)
