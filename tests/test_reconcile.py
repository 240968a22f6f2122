"""From the approved ladder to live orders: few commands, no self-cross, never out of the room."""

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.order_sums import sums_of
from engine.trading.orders import Orders, Params, Status
from engine.trading.reconcile import ReconcileParams, reconcile
from engine.trading.risk import Approved
from engine.values.commands import Cancel, Place
from engine.values.errors import Failure
from engine.values.events import CancelFailed, Fill, OrderFailed, OrderReport, OrderSent, OrderState
from engine.values.intents import Ladder, Level, Reason
from engine.values.units import NS_PER_S, Side

MARKET = "BTT/USDT@loopback"
T0 = 1_000 * NS_PER_S
WHY = Reason(reference=0.0, skew=0.0, width=0.0, rounding=0.0, stance="neutral")
PARAMS = ReconcileParams(over_ppm=20_000, keep_ppm=500_000, lots_min=5)


def levels(pairs):
    return tuple(Level(tick=tick, lots=lots, reason=WHY) for tick, lots in pairs)


def approved(bids=(), asks=(), **more):
    limits = {"room_bid_lots": 10**6, "room_ask_lots": 10**6, "orders_max": 50, "places_max": 50}
    return Approved(
        market=MARKET,
        ladder=Ladder(bids=levels(bids), asks=levels(asks)),
        refused=(),
        **(limits | more),
    )


class World:
    """Our orders and a venue that answers when it is told to."""

    def __init__(self):
        self.orders = Orders(Params())
        self.now = T0
        self.ids = (f"id{i}" for i in itertools.count()).__next__
        self.trades = itertools.count(1)

    def decide(self, wish):
        """Ask for commands and mark them as sent; the venue has not answered yet."""
        self.now += 1
        live = self.orders.active(MARKET)
        commands = reconcile(wish, sums_of(live), self.ids, self.now, PARAMS)
        for command in commands:
            if isinstance(command, Place):
                self.orders.intend(command)
                sent = OrderSent(market=MARKET, client_id=command.client_id, at_ns=self.now)
                self.orders.apply(sent)
            else:
                self.orders.cancel_sent(command.client_id, self.now)
        self.orders.check()
        return commands

    def report(self, client_id, state):
        self.now += 1
        order = self.orders.get(client_id)
        fact = OrderReport(
            market=MARKET,
            client_id=client_id,
            venue_id=f"v{client_id}",
            at_ns=self.now,
            update_ns=self.now,
            state=state,
            side=order.side,
            tick=order.tick,
            lots=order.lots,
            filled_lots=order.filled_lots,
        )
        return self.orders.apply(fact)

    def ack(self, commands):
        for command in commands:
            is_place = isinstance(command, Place)
            self.report(command.client_id, OrderState.OPEN if is_place else OrderState.CANCELED)

    def fill(self, client_id, lots):
        self.now += 1
        order = self.orders.get(client_id)
        fact = Fill(
            market=MARKET,
            client_id=client_id,
            venue_id=f"v{client_id}",
            trade_id=next(self.trades),
            at_ns=self.now,
            venue_ns=self.now,
            side=order.side,
            tick=order.tick,
            lots=lots,
            fee_atoms=0,
            fee_asset="USDT",
            is_maker=True,
        )
        return self.orders.apply(fact)

    def doubt(self, client_id, kind):
        self.now += 1
        fact = kind(
            market=MARKET,
            client_id=client_id,
            at_ns=self.now,
            failure=Failure.UNKNOWN,
            code="",
            text="",
        )
        return self.orders.apply(fact)

    def standing(self):
        return sorted((o.side, o.tick, o.left_lots) for o in self.orders.live(MARKET))


def quoting(bids, asks=(), **more):
    """A world in which this ladder stands already."""
    world = World()
    world.ack(world.decide(approved(bids, asks, **more)))
    return world


def shape(commands):
    return [
        (c.side, c.tick, c.lots) if isinstance(c, Place) else f"cancel {c.client_id}"
        for c in commands
    ]


def test_an_empty_market_gets_the_whole_ladder_post_only_best_first_sides_in_turn():
    commands = World().decide(approved([(62, 10), (61, 20)], [(64, 10)]))
    assert shape(commands) == [(Side.BUY, 62, 10), (Side.SELL, 64, 10), (Side.BUY, 61, 20)]
    assert all(command.post_only for command in commands)


def test_what_stands_as_wished_is_left_alone():
    wish = [(62, 10), (61, 20)]
    assert quoting(wish).decide(approved(wish)) == []


def test_an_order_that_fills_a_little_keeps_its_place_in_the_queue():
    world = quoting([(62, 10)])
    world.fill("id0", 4)
    assert world.decide(approved([(62, 10)])) == []


def test_an_order_that_filled_much_keeps_its_place_and_gets_a_second():
    world = quoting([(62, 10)])
    world.fill("id0", 7)
    assert shape(world.decide(approved([(62, 10)]))) == [(Side.BUY, 62, 7)]


def test_a_third_order_of_a_level_replaces_the_younger():
    world = quoting([(62, 10)])
    world.fill("id0", 7)
    world.ack(world.decide(approved([(62, 10)])))
    world.fill("id1", 6)
    first = world.decide(approved([(62, 10)]))
    assert shape(first) == ["cancel id1"]
    world.ack(first)
    assert shape(world.decide(approved([(62, 10)]))) == [(Side.BUY, 62, 7)]


def test_an_order_that_is_too_large_goes_before_its_successor_comes():
    world = quoting([(62, 100)])
    first = world.decide(approved([(62, 50)]))
    assert shape(first) == ["cancel id0"]
    assert world.decide(approved([(62, 50)])) == []
    world.ack(first)
    assert shape(world.decide(approved([(62, 50)]))) == [(Side.BUY, 62, 50)]


def test_a_size_within_tolerance_is_good():
    assert quoting([(62, 102)]).decide(approved([(62, 100)])) == []
    assert quoting([(62, 103)]).decide(approved([(62, 100)])) != []


def test_a_moved_ladder_cancels_first_and_places_within_the_room():
    world = quoting([(62, 10)], room_bid_lots=20)
    commands = world.decide(approved([(61, 10)], room_bid_lots=20))
    assert shape(commands) == ["cancel id0", (Side.BUY, 61, 10)]


def test_a_cancel_in_flight_still_takes_its_room():
    world = quoting([(62, 10)], room_bid_lots=10)
    wish = approved([(61, 10)], room_bid_lots=10)
    first = world.decide(wish)
    assert shape(first) == ["cancel id0"]
    assert world.decide(wish) == []
    world.ack(first)
    assert shape(world.decide(wish)) == [(Side.BUY, 61, 10)]


def test_fills_that_are_not_booked_yet_still_take_their_room():
    world = quoting([(62, 10)])
    world.report("id0", OrderState.FILLED)
    assert world.orders.get("id0").pending_lots == 10
    assert world.decide(approved([(61, 10)], room_bid_lots=12)) == []


def test_a_level_shrinks_to_the_room_but_not_below_what_is_worth_keeping():
    assert shape(World().decide(approved([(62, 10)], room_bid_lots=6))) == [(Side.BUY, 62, 6)]
    assert World().decide(approved([(62, 10)], room_bid_lots=4)) == []


def test_nothing_smaller_than_the_venues_minimum_is_placed():
    assert World().decide(approved([(62, 4)])) == []


def test_orders_and_new_orders_are_limited():
    ladder = [(62, 10), (61, 10), (60, 10)]
    assert len(World().decide(approved(ladder, places_max=2))) == 2
    world = quoting([(62, 10)])
    assert len(world.decide(approved(ladder, orders_max=2))) == 1


def test_a_bid_never_meets_an_ask_that_may_still_stand():
    world = quoting([], [(64, 10)])
    wish = approved([(64, 10)], [(66, 10)])
    first = world.decide(wish)
    assert shape(first) == ["cancel id0", (Side.SELL, 66, 10)]
    assert world.decide(wish) == []
    world.ack(first)
    assert shape(world.decide(wish)) == [(Side.BUY, 64, 10)]


def test_a_doubted_order_is_cancelled_once_and_never_doubled():
    world = World()
    wish = approved([(62, 10)])
    world.decide(wish)
    world.doubt("id0", OrderFailed)
    assert shape(world.decide(wish)) == ["cancel id0"]
    world.doubt("id0", CancelFailed)
    assert world.decide(wish) == []
    assert world.orders.working_lots(MARKET) == (10, 0)


def test_a_doubted_cancel_is_asked_about_and_not_repeated_blindly():
    world = quoting([(62, 10)])
    world.decide(approved())
    world.doubt("id0", CancelFailed)
    assert world.decide(approved()) == []
    world.report("id0", OrderState.OPEN)
    assert shape(world.decide(approved())) == ["cancel id0"]


def test_an_order_without_answer_is_left_until_its_answer():
    world = World()
    world.decide(approved([(62, 10)]))
    assert world.decide(approved()) == []


def test_orders_of_others_are_left_alone_but_count():
    world = World()
    world.orders.apply(
        OrderReport(
            market=MARKET,
            client_id="web",
            venue_id="9",
            at_ns=T0,
            update_ns=T0,
            state=OrderState.OPEN,
            side=Side.SELL,
            tick=64,
            lots=10,
            filled_lots=0,
        )
    )
    wish = approved([(64, 10), (63, 10)], [(66, 10)], room_ask_lots=12)
    assert shape(world.decide(wish)) == [(Side.BUY, 63, 10)]


# --- whatever happens ---------------------------------------------------------------------------


@st.composite
def wishes(draw):
    """A ladder that does not cross itself, within its own room, as the gate lets through."""
    middle = draw(st.integers(58, 66))
    sizes = st.integers(5, 60)
    depth = st.lists(st.tuples(st.integers(1, 6), sizes), max_size=3, unique_by=lambda row: row[0])
    bids = [(middle - gap, lots) for gap, lots in sorted(draw(depth))]
    asks = [(middle + gap, lots) for gap, lots in sorted(draw(depth))]
    room = {
        "room_bid_lots": sum(lots for _, lots in bids) + draw(st.integers(4, 20)),
        "room_ask_lots": sum(lots for _, lots in asks) + draw(st.integers(4, 20)),
    }
    return approved(bids, asks, **room)


def crosses_itself(orders):
    bids = [o.tick for o in orders if o.side is Side.BUY]
    asks = [o.tick for o in orders if o.side is Side.SELL]
    return bool(bids and asks and max(bids) >= min(asks))


ACTS = st.sampled_from(["decide", "decide", "ack", "fill", "doubt send", "doubt cancel"])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_in_no_interleaving_does_it_cross_itself_or_leave_the_room(data):
    world, waiting, wish = World(), [], data.draw(wishes())
    for act in data.draw(st.lists(ACTS, max_size=25)):
        open_ids = [o.client_id for o in world.orders.live(MARKET) if o.left_lots]
        if act == "decide":
            wish = data.draw(wishes())
            before = world.orders.working_lots(MARKET)
            commands = world.decide(wish)
            after = world.orders.working_lots(MARKET)
            assert after[0] <= max(before[0], wish.room_bid_lots)
            assert after[1] <= max(before[1], wish.room_ask_lots)
            kinds = [isinstance(command, Place) for command in commands]
            assert kinds == sorted(kinds)
            waiting += commands
        elif act == "ack" and waiting:
            command = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
            if world.orders.get(command.client_id).is_live:
                world.ack([command])
        elif act == "fill" and open_ids:
            client_id = data.draw(st.sampled_from(open_ids))
            lots = data.draw(st.integers(1, world.orders.get(client_id).left_lots))
            world.fill(client_id, lots)
        elif act.startswith("doubt") and waiting:
            command = waiting.pop(0)
            is_place = isinstance(command, Place)
            world.doubt(command.client_id, OrderFailed if is_place else CancelFailed)
        assert not crosses_itself(world.orders.live(MARKET))


@settings(max_examples=150, deadline=None)
@given(st.lists(wishes(), min_size=1, max_size=4))
def test_with_all_answers_it_comes_to_rest_at_the_wish(ladders):
    world = World()
    for wish in ladders:
        for _ in range(6):
            commands = world.decide(wish)
            if not commands:
                break
            world.ack(commands)
        assert world.decide(wish) == []
        stands = {}
        for order in world.orders.live(MARKET):
            assert order.status is Status.OPEN
            key = (order.side, order.tick)
            stands[key] = stands.get(key, 0) + order.left_lots
        wished = {(Side.BUY, level.tick): level.lots for level in wish.ladder.bids}
        wished |= {(Side.SELL, level.tick): level.lots for level in wish.ladder.asks}
        assert set(stands) == set(wished)
        for key, lots in wished.items():
            assert 0.5 * lots <= stands[key] <= 1.02 * lots
    assert not any(isinstance(command, Cancel) for command in world.decide(ladders[-1]))


def test_a_level_is_not_filled_up_by_less_than_the_venue_takes():
    """What is missing of a half-filled order may be worth too little for an order of its own."""
    world = World()
    wish = approved(bids=[(60, 100)])
    (place,) = world.decide(wish)
    world.ack([place])
    world.fill(place.client_id, 60)
    live = world.orders.active(MARKET)
    dear = msgspec.structs.replace(PARAMS, value_min=61 * 60)
    cheap = msgspec.structs.replace(PARAMS, value_min=60 * 60)
    assert reconcile(wish, sums_of(live), world.ids, world.now, dear) == []
    assert len(reconcile(wish, sums_of(live), world.ids, world.now, cheap)) == 1
