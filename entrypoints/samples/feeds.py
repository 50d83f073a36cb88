"""
The markets of the sample: what each states, when, and in which words.

A feed yields `Statement`s in order of arrival, without end. A statement can be rendered again later, with the same
price (a connector that polls again) or another one (a market that corrects itself).
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import count
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs

from application import topics
from entrypoints.samples.messages import Envelope, SampleMessage, message, micros, wrapped
from entrypoints.samples.prices import PriceProcess, Shape, flat, solar, two_peaks

EST = timedelta(hours=-5)
PACIFIC = ZoneInfo("America/Los_Angeles")
HOUR = timedelta(hours=1)
MISO_HUBS = {
    "INDIANA.HUB": 34.0,
    "MICHIGAN.HUB": 33.0,
    "MINN.HUB": 27.0,
    "ILLINOIS.HUB": 31.0,
    "ARKANSAS.HUB": 32.0,
    "LOUISIANA.HUB": 35.0,
    "TEXAS.HUB": 36.0,
    "MS.HUB": 33.5,
}
CAISO_NODES = {"TH_NP15_GEN-APND": 38.0, "TH_SP15_GEN-APND": 34.0, "TH_ZP26_GEN-APND": 33.0, "DLAP_PGAE-APND": 40.0}
FUTURES_MONTHS = "FGHJKMNQUVXZ"


@attrs.frozen(kw_only=True)
class Statement:
    """One price a market states, and how it looks as a message."""

    due: datetime
    """When its connector first knows it."""
    price: str
    render: Callable[[datetime, str], SampleMessage]
    """Makes the message, given when it is known and the price."""

    def message(self) -> SampleMessage:
        """The message as it is first sent."""
        return self.render(self.due, self.price)


@attrs.frozen(kw_only=True)
class MisoPrice:
    """A locational price of MISO: naive labels in Eastern Standard Time, the end of a 5-minute interval or the start of an hour."""

    node: str
    run: str
    label: datetime
    congestion: str
    loss: str

    def render(self, known: datetime, price: str) -> SampleMessage:
        """This will state it in MISO's words; prices are JSON numbers."""
        label = self.label.strftime("%Y-%m-%dT%H:%M:%S")
        envelope = Envelope(
            event_id=f"miso_lmp_{self.node}_{label}",
            trace_id="ingestion-miso@v1.0.0:lmp",
            producer="ingestion-miso@v1.0.0",
            occurred_at_us=micros(self.label.replace(tzinfo=UTC)),
            ingested_at_us=micros(known),
            payload={
                "market": "miso",
                "data_type": "lmp",
                "timestamp": label,
                "node": self.node,
                "market_run": self.run,
                "lmp_usd_per_mwh": float(price),
                "congestion_usd_per_mwh": float(self.congestion),
                "loss_usd_per_mwh": float(self.loss),
                "energy_usd_per_mwh": None,
            },
        )
        return message(topics.raw("miso"), envelope)


@attrs.frozen(kw_only=True)
class CaisoPrice:
    """A locational price of CAISO: four OASIS rows in one text, GMT start and end, an event id that is new at every poll."""

    node: str
    run: str
    start: datetime
    end: datetime
    congestion: str
    loss: str
    ids: Random

    def render(self, known: datetime, price: str) -> SampleMessage:
        """This will state it in CAISO's words; every value is a text."""
        energy = f"{float(price) - float(self.congestion) - float(self.loss):.5f}"
        values = {"LMP": price, "MCC": self.congestion, "MCE": energy, "MCL": self.loss}
        rows = [self._row(position, kind, value) for position, (kind, value) in enumerate(values.items(), 1)]
        payload = wrapped(
            json.dumps(rows),
            source_system="caiso-oasis",
            market="CAISO",
            symbol=self.node,
            sequence=None,
            received_at=micros(known),
            encoding="json",
            metadata=self._metadata(values),
        )
        envelope = Envelope(
            event_id=str(UUID(int=self.ids.getrandbits(128), version=4)),
            trace_id="",
            producer="caiso-connector@1.0.0",
            occurred_at_us=micros(self.end),
            ingested_at_us=micros(known),
            payload=payload,
        )
        return message(topics.raw("caiso"), envelope)

    def _row(self, position: int, kind: str, value: str) -> dict[str, str]:
        local = self.start.astimezone(PACIFIC)
        return {
            "INTERVALSTARTTIME_GMT": gmt(self.start),
            "INTERVALENDTIME_GMT": gmt(self.end),
            "OPR_DT": local.strftime("%Y-%m-%d"),
            "OPR_HR": str(local.hour + 1),
            "OPR_INTERVAL": "0" if self.run == "DAM" else str(local.minute // 15 + 1),
            "NODE": self.node,
            "MARKET_RUN_ID": self.run,
            "LMP_TYPE": kind,
            "MW": value,
            "GROUP": str(position),
        }

    def _metadata(self, values: dict[str, str]) -> dict[str, str]:
        local = self.start.astimezone(PACIFIC)
        return {
            "price": values["LMP"],
            "clearing_price": values["MCE"],
            "congestion_price": values["MCC"],
            "loss_price": values["MCL"],
            "delivery_location": self.node,
            "delivery_date": local.strftime("%Y-%m-%d"),
            "delivery_hour": str(local.hour + 1),
            "timestamp": gmt(self.end),
            "currency": "USD",
            "unit": "MWh",
        }


@attrs.frozen(kw_only=True)
class Trade:
    """A trade of a CSV feed: a row of texts, with the trade's own number."""

    symbol: str
    venue: str
    source: str
    at: datetime
    volume: str
    sequence: int

    def render(self, known: datetime, price: str) -> SampleMessage:
        """This will state it as a row of a CSV file; every value is a text."""
        row = {
            "market": self.venue,
            "price": price,
            "sequence": str(self.sequence),
            "source_id": self.source,
            "symbol": self.symbol,
            "timestamp": self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "volume": self.volume,
        }
        payload = wrapped(
            json.dumps(row),
            source_system=self.source,
            market=self.venue,
            symbol=self.symbol,
            sequence=self.sequence,
            received_at=micros(known),
            encoding="csv-line",
            metadata={"price": price, "volume": self.volume},
        )
        envelope = Envelope(
            event_id=sha256(f"{self.source}|{self.symbol}|{self.sequence}".encode()).hexdigest(),
            trace_id="",
            producer="csv-market-ticks@0.1.0",
            occurred_at_us=micros(self.at),
            ingested_at_us=micros(known),
            payload=payload,
        )
        return message(topics.RAW_TICKS, envelope)


@attrs.frozen(kw_only=True)
class Contract:
    """What is traded on a CSV feed, and how."""

    symbol: str
    venue: str
    source: str
    shape: Shape
    volatility: float
    decimals: int
    mean_gap_s: float
    """Seconds between trades, on average."""
    volumes: tuple[str, ...]


def contracts(start: datetime) -> tuple[Contract, ...]:
    """What trades in the sample: two futures of a month ahead, one gas balance-of-month, one crypto pair."""
    return (
        Contract(
            symbol=f"NG{futures_month(start)}",
            venue="NYMEX",
            source="nymex-trades",
            shape=flat(3.31),
            volatility=0.03,
            decimals=3,
            mean_gap_s=6.0,
            volumes=("1", "2", "3", "5", "10", "25"),
        ),
        Contract(
            symbol=f"CL{futures_month(start)}",
            venue="NYMEX",
            source="nymex-trades",
            shape=flat(71.4),
            volatility=0.35,
            decimals=2,
            mean_gap_s=5.0,
            volumes=("1", "1", "2", "4", "8"),
        ),
        Contract(
            symbol="NG_HH_BALMO",
            venue="ICE",
            source="ice-trades",
            shape=flat(3.12),
            volatility=0.04,
            decimals=4,
            mean_gap_s=20.0,
            volumes=("2500", "5000", "10000"),
        ),
        Contract(
            symbol="BTCUSDT",
            venue="BINANCE",
            source="binance-spot",
            shape=flat(64_000.0),
            volatility=240.0,
            decimals=2,
            mean_gap_s=1.5,
            volumes=("0.00017000", "0.01024000", "0.25000000", "1.10000000"),
        ),
    )


def trades(contract: Contract, start: datetime, chance: Random) -> Iterator[Statement]:
    """Trades of one contract from `start` on, each known within a second or two."""
    process = PriceProcess(contract.shape, contract.volatility, chance)
    moment = known = start
    for sequence in count(micros(start) // 1_000_000):
        moment += timedelta(microseconds=round(chance.expovariate(1 / contract.mean_gap_s) * 1_000_000) + 1)
        price = f"{process.at(moment, hour_of(moment)):.{contract.decimals}f}"
        trade = Trade(
            symbol=contract.symbol,
            venue=contract.venue,
            source=contract.source,
            at=moment,
            volume=chance.choice(contract.volumes),
            sequence=sequence,
        )
        known = max(known, moment + timedelta(milliseconds=chance.randint(40, 1900)))
        yield Statement(due=known, price=price, render=trade.render)


def miso_real_time(start: datetime, chance: Random) -> Iterator[Statement]:
    """Every five minutes the price of each hub, published one to two minutes after its interval."""
    processes = {hub: PriceProcess(two_peaks(level, 22.0), 4.0, chance) for hub, level in MISO_HUBS.items()}
    for begin in intervals(start, timedelta(minutes=5)):
        end = begin + timedelta(minutes=5)
        published = end + timedelta(seconds=chance.randint(60, 110))
        for hub, process in processes.items():
            published += timedelta(milliseconds=chance.randint(1, 90))
            price = MisoPrice(
                node=hub,
                run="RT",
                label=(end + EST).replace(tzinfo=None),
                congestion=cents(chance.gauss(0, 1.5)),
                loss=cents(chance.gauss(0.4, 0.3)),
            )
            lmp = cents(process.at(begin, hour_of(begin + EST)))
            yield Statement(due=published, price=lmp, render=price.render)


def miso_day_ahead(start: datetime, chance: Random) -> Iterator[Statement]:
    """The hours of today at once, then each day at 13:30 EST those of tomorrow."""
    processes = {hub: PriceProcess(two_peaks(level, 18.0), 2.0, chance) for hub, level in MISO_HUBS.items()}
    for published, day in publications(start, EST, time(13, 30)):
        known = published
        for hour in range(24):
            label = datetime.combine(day, time(hour))
            for hub, process in processes.items():
                known += timedelta(milliseconds=chance.randint(1, 12))
                price = MisoPrice(
                    node=hub,
                    run="DA",
                    label=label,
                    congestion=cents(chance.gauss(0, 1.0)),
                    loss=cents(chance.gauss(0.4, 0.2)),
                )
                lmp = cents(process.at(label.replace(tzinfo=UTC), hour))
                yield Statement(due=known, price=lmp, render=price.render)


def caiso_fifteen_minutes(start: datetime, chance: Random) -> Iterator[Statement]:
    """Every fifteen minutes the price of each node (RTPD), published within the interval it is for."""
    processes = {node: PriceProcess(solar(level, 38.0), 7.0, chance) for node, level in CAISO_NODES.items()}
    for begin in intervals(start, timedelta(minutes=15)):
        published = begin + timedelta(seconds=chance.randint(100, 220))
        for node, process in processes.items():
            published += timedelta(milliseconds=chance.randint(1, 90))
            level = process.at(begin, hour_of(begin.astimezone(PACIFIC)))
            yield _caiso(node, "RTPD", begin, timedelta(minutes=15), published, level, chance)


def caiso_day_ahead(start: datetime, chance: Random) -> Iterator[Statement]:
    """The hours of today's Pacific day at once, then each day at 13:00 PST those of tomorrow (DAM)."""
    processes = {node: PriceProcess(solar(level, 30.0), 3.0, chance) for node, level in CAISO_NODES.items()}
    for published, day in publications(start, timedelta(hours=-8), time(13, 0)):
        known = published
        begin = datetime.combine(day, time(0), PACIFIC).astimezone(UTC)
        midnight = datetime.combine(day + timedelta(days=1), time(0), PACIFIC).astimezone(UTC)
        while begin < midnight:
            for node, process in processes.items():
                known += timedelta(milliseconds=chance.randint(1, 12))
                level = process.at(begin, hour_of(begin.astimezone(PACIFIC)))
                yield _caiso(node, "DAM", begin, HOUR, known, level, chance)
            begin += HOUR


def _caiso(
    node: str, run: str, begin: datetime, length: timedelta, known: datetime, level: float, chance: Random
) -> Statement:
    price = CaisoPrice(
        node=node,
        run=run,
        start=begin,
        end=begin + length,
        congestion=f"{chance.gauss(0, 0.8):.5f}",
        loss=f"{chance.gauss(-0.4, 0.2):.5f}",
        ids=chance,
    )
    return Statement(due=known, price=f"{level:.5f}", render=price.render)


def intervals(start: datetime, length: timedelta) -> Iterator[datetime]:
    """Starts of intervals, aligned in UTC, from the one that holds `start` on."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + (start - midnight) // length * length
    return (first + number * length for number in count())


def publications(start: datetime, clock: timedelta, at: time) -> Iterator[tuple[datetime, date]]:
    """When a day-ahead market publishes, and for which day: today's at `start`, then tomorrow's each day on its clock."""
    today = (start + clock).date()
    yield start, today
    for number in count():
        day = today + timedelta(days=number)
        published = datetime.combine(day, at, UTC) - clock
        if published > start:
            yield published, day + timedelta(days=1)


def futures_month(start: datetime) -> str:
    """Month code and year of the contract that delivers after next month, e.g. F27."""
    months = start.year * 12 + start.month - 1 + 2
    return f"{FUTURES_MONTHS[months % 12]}{months // 12 % 100:02d}"


def hour_of(moment: datetime) -> float:
    """Hour of the day on the moment's own clock, with its fraction."""
    return moment.hour + moment.minute / 60


def gmt(moment: datetime) -> str:
    """An instant as CAISO writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S-00:00")


def cents(value: float) -> str:
    """A price to two decimals."""
    return f"{value:.2f}"
