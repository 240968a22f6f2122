"""Fills of nobody's making, a trail to go with them, and a page taken apart."""

from html.parser import HTMLParser

from engine.sim.trail import Trail
from engine.values.events import Fill, OrderReport, OrderState
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Side

S = NS_PER_S
COIN = Instrument(
    symbol="COIN/USD", venue="v", venue_symbol="COINUSD", base="COIN", quote="USD",
    price_exponent=2, tick=5, size_exponent=3, lot=2, maker_fee_ppm=0, taker_fee_ppm=0,
)  # fmt: skip


def fill(item, at_ns, side=Side.BUY, tick=100, lots=1, **kwargs):
    told = {"fee_atoms": 0, "fee_asset": item.quote, "is_maker": True, **kwargs}
    return Fill(
        market=item.market, client_id="c", venue_id="1", trade_id=at_ns, at_ns=at_ns,
        venue_ns=at_ns, side=side, tick=tick, lots=lots, **told,
    )  # fmt: skip


def order(at_ns, name, side, tick, lots, **kwargs):
    """The venue's word on an order of ours, open where nothing else is said."""
    told = {"filled_lots": 0, "state": OrderState.OPEN, **kwargs}
    return OrderReport(
        market=COIN.market, client_id=name, venue_id=name, at_ns=at_ns, update_ns=at_ns,
        side=side, tick=tick, lots=lots, **told,
    )  # fmt: skip


def trail(tops, orders=(), opening_base_atoms=0):
    """`tops` are (moment, bid, ask)."""
    found = Trail(opening_base_atoms)
    for top in tops:
        found.on_top(*top)
    for each in orders:
        found.on_report(each)
    return found


class Page(HTMLParser):
    """Cells of the page's tables, and whatever it must not have."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.ids, self.outside, self.scripts = [], [], [], 0
        self.pictures, self._in_cell = 0, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.pictures += tag == "svg"
        if tag == "td":
            self._in_cell = True
            self.cells.append("")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and not value.startswith("#"):
                self.outside.append(value)

    def handle_endtag(self, tag):
        self._in_cell &= tag != "td"

    def handle_data(self, data):
        if self._in_cell:
            self.cells[-1] += data
