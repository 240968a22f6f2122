"""Small builders of money facts, and a venue so simple that it can be believed."""

from engine.treasury.amounts import Asset, Price
from engine.treasury.books import Books, BooksSetup
from engine.treasury.chart import Source
from engine.treasury.lots import LotMethod
from engine.treasury.measures import Measures
from engine.treasury.pricing import PriceHistory
from engine.values.events import Balance, Fill, VenueState
from engine.values.execution_records import ChildSent
from engine.values.instrument import Instrument
from engine.values.ledger_words import Held, HoldingsRead
from engine.values.records import Listed, Opening
from engine.values.units import Side

VENUE = "v"
BTT = Instrument(
    symbol="BTT/USDT", venue=VENUE, venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=0, taker_fee_ppm=0,
)  # fmt: skip
ETH = Instrument(
    symbol="ETH/BTC", venue=VENUE, venue_symbol="ETHBTC", base="ETH", quote="BTC",
    price_exponent=6, tick=1, size_exponent=4, lot=1, maker_fee_ppm=0, taker_fee_ppm=0,
)  # fmt: skip
ASSETS = [Asset("BTT", 8), Asset("USDT", 8), Asset("BTC", 10), Asset("ETH", 8), Asset("BNB", 8)]
MEASURES = Measures(ASSETS, "USDT")
ONE = 10**8
"""Atoms of one BTT, USDT, ETH or BNB; ten thousandths of a BTC are 10**6 atoms of the books."""
SOURCE = Source(1, "0" * 64)


def books(method=LotMethod.FIFO, prices=(), lots=None):
    history = PriceHistory("USDT", 10**18)
    for asset, money, base, at_ns in prices:
        history.add(Price(asset=asset, money_atoms=money, base_atoms=base, at_ns=at_ns))
    setup = BooksSetup(measures=MEASURES, prices=history, method=method, lots=lots or {})
    made = Books(setup)
    for item in (BTT, ETH):
        tell(made, Listed(market=item.market, at_ns=0, instrument=item))
    return made


def tell(made, *facts):
    """Tell facts in turn; the last answer."""
    told = None
    for fact in facts:
        told = made.remember(fact, SOURCE)
        made.check()
    return told


def fill(trade_id, side, lots, tick, item=BTT, **more):
    fields = {"fee_atoms": 0, "fee_asset": item.quote, "at_ns": trade_id * 10, "venue_ns": 0}
    fields |= more
    return Fill(
        market=item.market, client_id=f"c{trade_id}", venue_id=str(trade_id), trade_id=trade_id,
        side=side, tick=tick, lots=lots, is_maker=True, **fields,
    )  # fmt: skip


def buy(trade_id, lots, tick, **more):
    return fill(trade_id, Side.BUY, lots, tick, **more)


def sell(trade_id, lots, tick, **more):
    return fill(trade_id, Side.SELL, lots, tick, **more)


def held(asset, atoms, venue=VENUE, at_ns=1):
    return Held(venue=venue, at_ns=at_ns, asset=asset, atoms=atoms, who="ann")


def read(asked_ns, venue=VENUE, **atoms):
    return HoldingsRead(venue=venue, asked_ns=asked_ns, at_ns=asked_ns + 1, atoms=atoms, who="")


def opening(trade_id, at_ns=1, **atoms):
    return Opening(
        venue=VENUE, market=BTT.market, at_ns=at_ns, trade_id=trade_id, balances=balances(atoms)
    )


def state(asked_ns, fills=(), **atoms):
    return VenueState(
        market=BTT.market, asked_ns=asked_ns, at_ns=asked_ns + 1, open_orders=[],
        fills=list(fills), balances=balances(atoms),
    )  # fmt: skip


def balances(atoms):
    return [Balance(asset=name, free_atoms=n, locked_atoms=0) for name, n in atoms.items()]


def child_of(client_id, parent="p1"):
    """The record of a staged order's child, as a desk writes it before the order leaves."""
    return ChildSent(
        at_ns=1, parent=parent, client_id=client_id, market=BTT.market, side=Side.SELL, lots=1,
        tick_limit=1, atoms=1, mid=(1, 1), estimate_ppm=0,
    )  # fmt: skip
