"""A lossy venue, healed: readings and queries alone bring our view back to the truth (L1, L5)."""

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.orders import Orders, Params
from engine.trading.portfolio import Portfolio
from engine.trading.recovery import open_account, recover
from engine.values.commands import Cancel, Place, QueryOrder
from engine.values.errors import Failure
from engine.values.events import (
    Balance,
    CancelFailed,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderSent,
    OrderState,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Side

BTT = Instrument(
    symbol="BTT/USDT",
    venue="loopback",
    venue_symbol="BTTUSDT",
    base="BTT",
    quote="USDT",
    price_exponent=8,
    tick=1,
    size_exponent=0,
    lot=1,
    maker_fee_ppm=1000,
    taker_fee_ppm=1000,
)
MARKET = BTT.market


class Venue:
    """The truth: every order that arrived, every trade, exact balances. `hears` tells us or not."""

    def __init__(self):
        self.now = 1_000 * NS_PER_S
        self.rows, self.fills = {}, []
        self.base_lots, self.usdt = 10_000, 10**9
        self.trades = itertools.count(1)

    def accept(self, place):
        self.rows[place.client_id] = OrderReport(
            market=MARKET,
            client_id=place.client_id,
            venue_id=f"v{place.client_id}",
            at_ns=self.now,
            update_ns=self.now,
            state=OrderState.OPEN,
            side=place.side,
            tick=place.tick,
            lots=place.lots,
            filled_lots=0,
        )

    def change(self, client_id, **fields):
        row = self.rows[client_id]
        self.rows[client_id] = msgspec.structs.replace(row, update_ns=self.now, **fields)

    def cancel(self, client_id):
        if client_id not in self.open_ids():
            return False
        self.change(client_id, state=OrderState.CANCELED)
        return True

    def fill(self, client_id, lots):
        row = self.rows[client_id]
        filled = row.filled_lots + lots
        state = OrderState.FILLED if filled == row.lots else OrderState.PARTIAL
        self.change(client_id, state=state, filled_lots=filled)
        base, quote = BTT.flows(row.side, row.tick, lots)
        self.base_lots += base // BTT.base_atoms(1)
        self.usdt += quote - 1
        self.fills.append(
            Fill(
                market=MARKET,
                client_id=client_id,
                venue_id=row.venue_id,
                trade_id=next(self.trades),
                at_ns=self.now,
                venue_ns=self.now,
                side=row.side,
                tick=row.tick,
                lots=lots,
                fee_atoms=1,
                fee_asset="USDT",
                is_maker=True,
            )
        )
        return self.fills[-1]

    def open_ids(self):
        live = (OrderState.OPEN, OrderState.PARTIAL)
        return sorted(name for name, row in self.rows.items() if row.state in live)

    def report(self, client_id):
        return msgspec.structs.replace(self.rows[client_id], at_ns=self.now)

    def state(self, trade_id_from):
        return VenueState(
            market=MARKET,
            asked_ns=self.now,
            at_ns=self.now,
            open_orders=[self.report(client_id) for client_id in self.open_ids()],
            fills=[fill for fill in self.fills if fill.trade_id > trade_id_from],
            balances=[
                Balance(asset="BTT", free_atoms=BTT.base_atoms(self.base_lots), locked_atoms=0),
                Balance(asset="USDT", free_atoms=self.usdt, locked_atoms=0),
            ],
        )


class Engine:
    """Our half: orders and portfolio, told what the coin lets through."""

    def __init__(self, venue, coin):
        self.venue, self.coin = venue, coin
        self.orders, self.portfolio = Orders(Params()), Portfolio([BTT])
        open_account(self.orders, self.portfolio, venue.state(0))

    def hear(self, fact):
        """Perhaps; perhaps twice."""
        for _ in range(self.coin.draw(st.integers(0, 2))):
            change = self.orders.apply(fact)
            if change.new_fill is not None:
                self.portfolio.book_fill(BTT, change.new_fill)

    def place(self, client_id, side, lots):
        tick = 62 if side is Side.BUY else 64
        now = self.venue.now
        self.orders.intend(
            place := Place(
                market=MARKET,
                client_id=client_id,
                side=side,
                tick=tick,
                lots=lots,
                post_only=True,
                at_ns=now,
            )
        )
        if self.coin.draw(st.booleans()):
            self.hear(OrderSent(market=MARKET, client_id=client_id, at_ns=now))
        if arrives := self.coin.draw(st.booleans()):
            self.venue.accept(place)
        if self.coin.draw(st.booleans()):
            self.fail(OrderFailed, client_id)
        elif arrives:
            self.hear(self.venue.report(client_id))

    def cancel(self, client_id):
        self.orders.cancel_sent(client_id, self.venue.now)
        arrives = self.coin.draw(st.booleans())
        did = arrives and self.venue.cancel(client_id)
        if did:
            self.hear(self.venue.report(client_id))
        elif self.coin.draw(st.booleans()):
            self.fail(CancelFailed, client_id, Failure.REJECTED if arrives else Failure.UNKNOWN)

    def fail(self, kind, client_id, failure=Failure.UNKNOWN):
        self.orders.apply(
            kind(
                market=MARKET,
                client_id=client_id,
                at_ns=self.venue.now,
                failure=failure,
                code="",
                text="",
            )
        )

    def fill(self, client_id, lots):
        fill = self.venue.fill(client_id, lots)
        for fact in self.coin.draw(st.permutations([fill, self.venue.report(client_id)])):
            self.hear(fact)

    def read(self):
        """One turn without faults: a reading, and an answer to each question that it asks."""
        state = self.venue.state(self.orders.trade_id_from(MARKET))
        result = recover(self.orders, self.portfolio, state, lambda name: True)
        self.orders.check()
        self.portfolio.check()
        for command in result.commands:
            self.answer(command)
        return result

    def answer(self, command):
        now, client_id = self.venue.now, command.client_id
        if isinstance(command, Cancel):
            self.venue.cancel(client_id)
        else:
            assert isinstance(command, QueryOrder)
        if client_id in self.venue.rows:
            self.orders.apply(self.venue.report(client_id))
        else:
            fact = OrderAbsent(market=MARKET, client_id=client_id, at_ns=now, asked_ns=now)
            self.orders.apply(fact)


ACTS = st.sampled_from(["place", "place", "fill", "fill", "cancel", "read"])


def misfortune(engine, data):
    """A random past in which any notice may be lost or come twice."""
    venue, names = engine.venue, (f"bl{i}" for i in itertools.count())
    for act in data.draw(st.lists(ACTS, max_size=20)):
        venue.now += data.draw(st.integers(1, 2 * NS_PER_S))
        open_ids = venue.open_ids()
        if act == "place":
            engine.place(
                next(names), data.draw(st.sampled_from(Side)), data.draw(st.integers(1, 9))
            )
        elif act == "fill" and open_ids:
            client_id = data.draw(st.sampled_from(open_ids))
            row = venue.rows[client_id]
            engine.fill(client_id, data.draw(st.integers(1, row.lots - row.filled_lots)))
        elif act == "cancel" and (live := engine.orders.live(MARKET)):
            engine.cancel(data.draw(st.sampled_from(live)).client_id)
        elif act == "read":
            engine.read()
        engine.orders.check()
        could_fill = {order.client_id for order in engine.orders.active(MARKET)}
        assert set(venue.open_ids()) <= could_fill, "an order is out there and we do not count it"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_once_the_venue_answers_our_view_is_the_truth_within_thirty_seconds(data):
    venue = Venue()
    engine = Engine(venue, data)
    misfortune(engine, data)
    for _ in range(6):
        venue.now += 5 * NS_PER_S
        last = engine.read()
    assert engine.orders.unknown(MARKET) == []
    assert sorted(order.client_id for order in engine.orders.live(MARKET)) == venue.open_ids()
    assert engine.orders.fills_missing(MARKET) == []
    assert engine.portfolio.position_lots(MARKET) == venue.base_lots
    assert engine.portfolio.balance("USDT") == venue.usdt
    assert last.differences == []
