"""The life of our orders: any permutation of the same facts, with duplicates, ends the same."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.order_table import LIFE, LIVE, TARGET, Move
from engine.trading.orders import During, IllegalMove, Kind, Orders, Params, Status
from engine.trading.trade_ids import TradeIds
from engine.values.commands import Place
from engine.values.errors import Failure
from engine.values.events import (
    CancelFailed,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderSent,
    OrderState,
    QueryFailed,
)
from engine.values.units import NS_PER_MS, NS_PER_S, Side

MARKET = "BTT/USDT@loopback"
T0 = 1_000 * NS_PER_S
SETTLED = T0 + Params().settle_ns


def place(client_id="a", side=Side.BUY, tick=62, lots=10, at_ns=T0):
    return Place(
        market=MARKET,
        client_id=client_id,
        side=side,
        tick=tick,
        lots=lots,
        post_only=True,
        at_ns=at_ns,
    )


def report(state, filled=0, client_id="a", update=1, at=0, **more):
    fields = {"venue_id": f"v{client_id}", "side": Side.BUY, "tick": 62, "lots": 10} | more
    return OrderReport(
        market=MARKET,
        client_id=client_id,
        at_ns=T0 + at,
        update_ns=T0 + update,
        state=state,
        filled_lots=filled,
        **fields,
    )


def fill(trade_id=1, lots=3, client_id="a", **more):
    fields = {"venue_id": f"v{client_id}", "at_ns": T0, "venue_ns": T0, "tick": 62} | more
    return Fill(
        market=MARKET,
        client_id=client_id,
        trade_id=trade_id,
        side=Side.BUY,
        lots=lots,
        fee_atoms=0,
        fee_asset="USDT",
        is_maker=True,
        **fields,
    )


def failed(failure, client_id="a"):
    return OrderFailed(
        market=MARKET, client_id=client_id, at_ns=T0 + 1, failure=failure, code="", text=""
    )


def cancel_failed(failure, at=10, client_id="a"):
    return CancelFailed(
        market=MARKET, client_id=client_id, at_ns=T0 + at, failure=failure, code="", text=""
    )


def absent(asked_ns, client_id="a"):
    return OrderAbsent(market=MARKET, client_id=client_id, at_ns=asked_ns + 5, asked_ns=asked_ns)


def sent_orders(*client_ids, **more):
    orders = Orders(Params(**more))
    for client_id in client_ids or ("a",):
        orders.intend(place(client_id))
        orders.apply(OrderSent(market=MARKET, client_id=client_id, at_ns=T0))
    return orders


def status_after(*facts):
    orders = sent_orders()
    for fact in facts:
        orders.apply(fact)
        orders.check()
    return orders.get("a").status


# --- the table ----------------------------------------------------------------------------------


def test_every_state_and_move_of_the_table_leads_where_the_move_says():
    assert {status for status, _ in LIFE} == set(Status)
    assert all(after is TARGET[move] for (_, move), after in LIFE.items())


def test_nothing_leaves_filled():
    assert [move for status, move in LIFE if status is Status.FILLED] == [Move.FILL]


def test_no_order_returns_to_intent_once_the_venue_showed_it():
    for status in set(Status) - {Status.INTENT, Status.CANCEL_SENT}:
        assert (status, Move.INTEND) not in LIFE


def test_an_illegal_move_raises_and_changes_nothing():
    orders = sent_orders()
    before = orders.state_hash()
    with pytest.raises(IllegalMove):
        orders.intend(place("a"))
    with pytest.raises(IllegalMove):
        orders.intend(place("b", lots=0))
    with pytest.raises(IllegalMove):
        orders.apply(OrderSent(market=MARKET, client_id="never intended", at_ns=T0))
    with pytest.raises(IllegalMove):
        orders.cancel_sent("never intended", T0)
    assert orders.state_hash() == before


# --- the ordinary life --------------------------------------------------------------------------


def test_an_order_lives_from_intent_to_filled():
    orders = Orders(Params())
    seen = [orders.intend(place()).status]
    for fact in (
        OrderSent(market=MARKET, client_id="a", at_ns=T0),
        report(OrderState.OPEN),
        fill(1, 4),
        fill(2, 6),
    ):
        seen.append(orders.apply(fact).after.status)
    assert seen == [Status.INTENT, Status.SENT, Status.OPEN, Status.PARTIAL, Status.FILLED]
    assert orders.working_lots(MARKET) == (0, 0)


def test_a_cancel_is_in_flight_until_the_venue_says_canceled():
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    assert orders.cancel_sent("a", T0 + 5).status is Status.CANCEL_SENT
    assert orders.cancel_sent("a", T0 + 5).status is Status.CANCEL_SENT
    assert orders.working_lots(MARKET) == (10, 0)
    change = orders.apply(report(OrderState.CANCELED, update=9))
    assert (change.after.status, change.kind) == (Status.CANCELED, Kind.CHANGED)
    assert orders.working_lots(MARKET) == (0, 0)


def test_a_cancel_that_the_venue_did_not_ask_us_about_is_unsolicited():
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    assert orders.apply(report(OrderState.EXPIRED, update=2)).kind is Kind.UNSOLICITED


@pytest.mark.parametrize("state", [OrderState.EXPIRED, OrderState.CANCELED])
def test_the_rest_of_an_immediate_order_ends_as_it_was_asked_to(state):
    orders = Orders(Params())
    orders.intend(msgspec.structs.replace(place(), is_ioc=True))
    orders.apply(fill(lots=3))
    change = orders.apply(report(state, filled=3, update=2))
    assert (change.kind, change.after.is_live) == (Kind.CHANGED, False)


def test_a_fill_during_cancel_still_counts():
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    orders.cancel_sent("a", T0 + 5)
    orders.apply(fill(1, 4))
    assert orders.get("a").status is Status.CANCEL_SENT
    assert orders.get("a").left_lots == 6


def test_o07_a_fill_before_the_ack_and_an_ack_after_the_fill_do_not_regress():
    assert status_after(fill(1, 4), report(OrderState.OPEN)) is Status.PARTIAL
    assert status_after(fill(1, 10), report(OrderState.OPEN)) is Status.FILLED


def test_an_older_report_never_regresses_a_newer_one():
    canceled = report(OrderState.CANCELED, filled=2, update=9)
    assert status_after(canceled, report(OrderState.OPEN, update=3, at=50)) is Status.CANCELED


def test_o09_a_late_fill_is_booked_on_a_canceled_order_and_flagged():
    orders = sent_orders()
    orders.apply(report(OrderState.CANCELED, filled=0))
    change = orders.apply(fill(1, 4))
    assert (change.kind, change.new_fill) == (Kind.LATE, fill(1, 4))
    order = orders.get("a")
    assert (order.status, order.is_late, order.filled_lots) == (Status.CANCELED, True, 4)


def test_a_fill_that_the_cancel_report_already_counted_is_not_late():
    orders = sent_orders()
    orders.apply(report(OrderState.CANCELED, filled=4))
    assert orders.apply(fill(1, 4)).kind is Kind.CHANGED
    assert not orders.get("a").is_late


def test_p06_filled_by_report_counts_before_its_fills_arrive():
    orders = sent_orders()
    orders.apply(report(OrderState.FILLED, filled=10))
    order = orders.get("a")
    assert (order.status, order.pending_lots) == (Status.FILLED, 10)
    assert orders.working_lots(MARKET) == (10, 0)
    assert orders.fills_missing(MARKET) == [order]
    orders.apply(fill(1, 10))
    assert orders.working_lots(MARKET) == (0, 0)


def test_p02_a_fill_on_three_paths_is_booked_once():
    orders = sent_orders()
    orders.apply(fill(7, 3))
    before = orders.state_hash()
    change = orders.apply(fill(7, 3, at_ns=T0 + 99))
    assert (change.kind, change.new_fill) == (Kind.DUPLICATE, None)
    assert orders.state_hash() == before


def test_o22_an_overfill_is_booked_and_flagged():
    orders = sent_orders()
    change = orders.apply(fill(1, 12))
    assert (change.kind, change.new_fill.lots) == (Kind.OVERFILL, 12)
    assert orders.get("a").is_overfilled


# --- unknown ------------------------------------------------------------------------------------


def test_o04_a_doubtful_failure_keeps_the_order_in_the_exposure():
    orders = sent_orders()
    order = orders.apply(failed(Failure.UNKNOWN)).after
    assert (order.status, order.unknown_during) == (Status.UNKNOWN, During.SEND)
    assert orders.working_lots(MARKET) == (10, 0)
    assert orders.own_levels(MARKET) == {}


@pytest.mark.parametrize("failure", [Failure.REJECTED, Failure.TRANSIENT, Failure.FATAL])
def test_a_certain_failure_ends_an_order_that_nobody_saw(failure):
    assert status_after(failed(failure)) is Status.REJECTED
    assert status_after(report(OrderState.OPEN), failed(failure)) is Status.OPEN


def test_o03_absence_proves_an_end_only_when_asked_late_enough():
    too_early = absent(SETTLED - 1)
    assert status_after(failed(Failure.UNKNOWN), too_early) is Status.UNKNOWN
    assert status_after(failed(Failure.UNKNOWN), too_early, absent(SETTLED)) is Status.REJECTED


def test_a_refusal_does_not_end_a_doubted_send():
    for facts in itertools.permutations([failed(Failure.UNKNOWN), failed(Failure.REJECTED)]):
        assert status_after(*facts) is Status.UNKNOWN


def test_o06_an_order_that_lands_after_it_was_given_up_lives_and_is_to_be_cancelled():
    orders = sent_orders()
    orders.apply(failed(Failure.UNKNOWN))
    orders.apply(absent(SETTLED))
    assert orders.get("a").status is Status.REJECTED
    change = orders.apply(report(OrderState.OPEN, at=10 * NS_PER_S))
    assert change.kind is Kind.REVIVED
    assert (change.after.status, change.after.is_given_up) == (Status.OPEN, True)


def test_o02_a_doubted_send_is_resolved_by_the_venues_report():
    assert status_after(failed(Failure.UNKNOWN), report(OrderState.OPEN)) is Status.OPEN
    assert status_after(failed(Failure.UNKNOWN), report(OrderState.REJECTED)) is Status.REJECTED


@pytest.mark.parametrize("failure", [Failure.REJECTED, Failure.UNKNOWN])
def test_o08_o10_a_failed_cancel_proves_nothing(failure):
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    orders.cancel_sent("a", T0 + 5)
    order = orders.apply(cancel_failed(failure)).after
    assert (order.status, order.unknown_during) == (Status.UNKNOWN, During.CANCEL)
    assert orders.own_levels(MARKET) == {(Side.BUY, 62): 10}
    assert orders.due_queries(MARKET, T0 + 11) == ["a"]
    assert orders.apply(report(OrderState.OPEN, at=20)).after.status is Status.OPEN


def test_a_doubted_amend_says_so():
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    orders.cancel_sent("a", T0 + 5, During.AMEND)
    assert orders.apply(cancel_failed(Failure.UNKNOWN)).after.unknown_during is During.AMEND


def test_a_cancel_that_never_left_leaves_the_order_open():
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    orders.cancel_sent("a", T0 + 5)
    assert orders.apply(cancel_failed(Failure.TRANSIENT)).after.status is Status.OPEN
    assert orders.cancel_sent("a", T0 + 20).status is Status.CANCEL_SENT


def test_an_open_order_that_the_venue_no_longer_knows_has_ended():
    seen = report(OrderState.OPEN, at=5 * NS_PER_S)
    assert status_after(seen, absent(T0 + 6 * NS_PER_S)) is Status.OPEN
    assert status_after(seen, absent(T0 + 7 * NS_PER_S)) is Status.CANCELED


def test_after_a_lost_connection_unanswered_orders_are_unknown():
    orders = sent_orders("a", "b")
    orders.apply(report(OrderState.OPEN))
    assert [o.client_id for o in orders.doubt_unacknowledged(MARKET, T0 + 5)] == ["b"]
    assert orders.get("a").status is Status.OPEN


def test_queries_back_off_from_a_quarter_second_to_five():
    orders = sent_orders()
    orders.apply(failed(Failure.UNKNOWN))
    asked, now = [], T0
    while len(asked) < 8:
        asked += [now] if orders.due_queries(MARKET, now) else []
        now += 50 * NS_PER_MS
    waits = [(b - a) // NS_PER_MS for a, b in itertools.pairwise(asked)]
    assert waits == [250, 500, 1000, 2000, 4000, 5000, 5000]


def test_an_order_without_any_answer_is_asked_for_after_its_validity():
    orders = sent_orders()
    assert orders.due_queries(MARKET, SETTLED) == []
    assert orders.due_queries(MARKET, SETTLED + 1) == ["a"]


def test_a_failed_query_changes_nothing():
    orders = sent_orders()
    before = orders.state_hash()
    orders.apply(
        QueryFailed(
            market=MARKET, client_id="a", at_ns=T0, failure=Failure.UNKNOWN, code="", text=""
        )
    )
    assert orders.state_hash() == before


# --- not ours -----------------------------------------------------------------------------------


def test_p03_a_report_of_an_order_that_we_never_intended_is_adopted_as_external():
    orders = Orders(Params())
    change = orders.apply(report(OrderState.OPEN, client_id="web_1"))
    assert (change.kind, change.after.is_external) == (Kind.EXTERNAL, True)
    assert orders.working_lots(MARKET) == (10, 0)


def test_p03_a_fill_without_known_order_is_booked_and_asked_about():
    orders = Orders(Params())
    change = orders.apply(fill(5, 2, client_id="web_1"))
    assert (change.kind, change.new_fill.lots) == (Kind.EXTERNAL, 2)
    assert orders.due_queries(MARKET, T0) == ["web_1"]
    orders.apply(report(OrderState.CANCELED, filled=2, client_id="web_1"))
    assert orders.live(MARKET) == []


def test_an_order_of_somebody_else_that_comes_back_is_not_ours_to_cancel():
    orders = Orders(Params())
    orders.apply(report(OrderState.OPEN, client_id="web_1"))
    assert orders.apply(absent(SETTLED, "web_1")).after.status is Status.CANCELED
    change = orders.apply(report(OrderState.OPEN, client_id="web_1", at=9 * NS_PER_S))
    assert (change.kind, change.after.is_given_up) == (Kind.EXTERNAL, False)
    assert orders.working_lots(MARKET) == (10, 0)


def test_a_fill_of_an_adopted_order_is_no_news_of_a_stranger():
    orders = Orders(Params())
    orders.apply(report(OrderState.OPEN, client_id="web_1"))
    assert orders.apply(fill(5, 2, client_id="web_1")).kind is Kind.CHANGED


def test_every_fill_without_a_known_order_is_external():
    orders = Orders(Params())
    nameless = [fill(n, 2, client_id="", venue_id="") for n in (5, 6)]
    assert [orders.apply(each).kind for each in nameless] == [Kind.EXTERNAL, Kind.EXTERNAL]


def test_a_fill_that_names_only_the_venues_id_finds_its_order():
    for facts in itertools.permutations(
        [fill(1, 4, client_id="", venue_id="va"), report(OrderState.OPEN)]
    ):
        orders = sent_orders()
        for fact in facts:
            orders.apply(fact)
        orders.check()
        assert orders.get("a").booked_lots == 4
        assert len(list(orders)) == 1


def test_a_second_order_under_the_same_client_id_is_not_the_first():
    orders = sent_orders()
    orders.apply(report(OrderState.OPEN))
    change = orders.apply(report(OrderState.OPEN, venue_id="another"))
    assert change.kind is Kind.EXTERNAL
    assert orders.working_lots(MARKET) == (20, 0)


def test_a_report_with_another_price_than_we_sent_is_unexpected():
    assert sent_orders().apply(report(OrderState.OPEN, tick=63)).kind is Kind.UNEXPECTED


def test_an_answer_about_an_order_that_we_do_not_have_is_unexpected():
    assert Orders(Params()).apply(failed(Failure.REJECTED)).kind is Kind.UNEXPECTED


# --- memory -------------------------------------------------------------------------------------


def test_a_fill_of_a_forgotten_order_is_booked_once():
    orders = sent_orders()
    orders.apply(fill(1, 3))
    orders.apply(report(OrderState.CANCELED, filled=3, at=5))
    assert orders.forget_ended(T0 + 6) == 1
    assert orders.get("a") is None
    assert orders.apply(fill(1, 3)).kind is Kind.DUPLICATE
    assert orders.apply(fill(2, 3)).kind is Kind.EXTERNAL


def test_an_order_whose_fills_are_missing_is_not_forgotten():
    orders = sent_orders()
    orders.apply(report(OrderState.FILLED, filled=10))
    assert orders.forget_ended(T0 + NS_PER_S) == 0


def test_ended_orders_are_bounded():
    orders = Orders(Params(ended_max=5))
    for i in range(20):
        orders.intend(place(f"o{i}"))
        orders.apply(report(OrderState.REJECTED, client_id=f"o{i}"))
        orders.check()
    assert len(list(orders)) == 5


def test_trades_up_to_the_last_but_one_reading_are_settled():
    orders = sent_orders()
    for trade_id in (10, 11, 12):
        orders.apply(fill(trade_id, 1))
    orders.trades_read(MARKET, 11)
    assert orders.trade_id_from(MARKET) == 0
    orders.trades_read(MARKET, 12)
    assert orders.trade_id_from(MARKET) == 11
    assert orders.apply(fill(10, 1)).kind is Kind.DUPLICATE
    assert orders.apply(fill(13, 1)).kind is Kind.CHANGED


@given(st.lists(st.integers(0, 300)))
def test_a_trade_id_is_new_at_most_once_whatever_the_bound(trade_ids):
    ids = TradeIds(ids_max=8)
    new = [trade_id for trade_id in trade_ids if ids.add(trade_id)]
    ids.check()
    assert len(new) == len(set(new))


# --- any permutation ----------------------------------------------------------------------------

IDS = ("a", "b", "web")
MOMENTS = st.integers(0, 20).map(lambda n: n * NS_PER_S // 2)


@st.composite
def some_facts(draw):
    """Facts about two orders of ours and a stranger's, consistent only in their ids."""
    facts, trade_id = [], 0
    for _ in range(draw(st.integers(1, 9))):
        client_id, at = draw(st.sampled_from(IDS)), draw(MOMENTS)
        ours = client_id != "web"
        kind = draw(st.integers(0, 5 if ours else 2))
        if kind == 0:
            trade_id += 1
            named = client_id if draw(st.booleans()) else ""
            lots, tick = draw(st.integers(1, 7)), draw(st.integers(60, 62))
            moment = {"at_ns": T0 + at, "venue_ns": T0 + at}
            facts.append(fill(trade_id, lots, named, venue_id=f"v{client_id}", tick=tick, **moment))
        elif kind in (1, 2):
            state = draw(st.sampled_from(OrderState))
            update, filled = draw(st.integers(0, 5)), draw(st.integers(0, 10))
            shape = {} if ours else {"tick": 60 + update, "lots": draw(st.integers(1, 10))}
            facts.append(report(state, filled, client_id, update, at, **shape))
        elif kind == 3:
            facts.append(failed(draw(st.sampled_from(Failure)), client_id))
        elif kind == 4:
            facts.append(cancel_failed(draw(st.sampled_from(Failure)), at, client_id))
        else:
            facts.append(draw(st.sampled_from([absent(T0 + at, client_id), (client_id, T0 + at)])))
    return facts


def live_through(facts):
    orders = sent_orders("a", "b")
    new_fills = []
    for fact in facts:
        if isinstance(fact, tuple):
            orders.cancel_sent(*fact)
            continue
        change = orders.apply(fact)
        new_fills += [change.new_fill] if change.new_fill else []
        orders.check()
    return orders, new_fills


@settings(max_examples=400, deadline=None)
@given(st.data(), some_facts())
def test_any_permutation_with_duplicates_ends_in_the_same_state(data, facts):
    # What joins the stranger's two ids is one report that has both; without it they stay apart.
    facts = [*facts, report(OrderState.OPEN, client_id="web", update=0, tick=60, lots=1)]
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=6))
    shuffled = data.draw(st.permutations(facts + repeats))
    one, fills_one = live_through(facts)
    other, fills_other = live_through(shuffled)
    key = lambda fact: fact.trade_id  # noqa: E731
    assert sorted(fills_one, key=key) == sorted(fills_other, key=key)
    assert list(one) == list(other)
    assert one.state_hash() == other.state_hash()


@settings(max_examples=200, deadline=None)
@given(some_facts())
def test_what_the_venue_ended_never_lives_again(facts):
    orders = sent_orders("a", "b")
    ended = set()
    for fact in facts:
        if isinstance(fact, tuple):
            orders.cancel_sent(*fact)
        else:
            orders.apply(fact)
        for order in orders:
            assert order.client_id not in ended or order.status not in LIVE
        ended |= {order.client_id for order in orders if order.ended is not None}


@settings(max_examples=200, deadline=None)
@given(some_facts())
def test_unknown_becomes_rejected_only_by_proof(facts):
    orders = sent_orders("a", "b")
    for fact in facts:
        if isinstance(fact, tuple):
            orders.cancel_sent(*fact)
            continue
        change = orders.apply(fact)
        before, after = change.before, change.after
        if before is None or before.unknown_during is not During.SEND:
            continue
        if after is not None and after.status is Status.REJECTED:
            is_proved = isinstance(fact, OrderAbsent) and fact.asked_ns >= SETTLED
            assert is_proved or isinstance(fact, OrderReport)
