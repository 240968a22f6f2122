"""What each decision led to: epochs, money, exposure, ratings and people's words, exactly."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sim.epochs import Marks
from engine.sim.outcomes import Review, reviewed
from engine.sim.overrides import by_day, by_row
from engine.values.units import NS_PER_S
from tests.review_builders import (
    S,
    answer,
    decision,
    ended,
    fill,
    halt,
    hedge_moved,
    hedge_sent,
    opening,
    outcomes,
    playbook_set,
    rating,
    resume,
    ruled,
    started,
    told,
)
from tests.review_truth import differences
from tests.sim.venue import BTT, MARKET

BUY, SELL = "buy", "sell"


def test_each_ruling_begins_an_epoch_that_ends_with_the_next():
    epochs = told(started(), ruled(1, "a"), ruled(5, "b"), ended(9)).epochs
    spans = [(e.row, e.began_ns // S, e.ended_ns // S) for e in epochs]
    assert spans == [("", 0, 1), ("a", 1, 5), ("b", 5, 9)]


def test_a_killed_session_ends_with_its_last_record_and_not_with_the_next_start():
    epochs = told(started(), ruled(1, "a"), decision(4), started(100, 2), ruled(101, "a")).epochs
    assert [(e.session, e.ended_ns // S) for e in epochs] == [(1, 1), (1, 4), (2, 101), (2, 101)]


def test_a_fill_counts_for_the_ruling_that_held_when_we_learned_of_it():
    found = outcomes(started(), ruled(1, "a"), ruled(5, "b"), fill(5, BUY, 61, 7, 1), ended(9))
    assert [o.bought_lots for o in found] == [0, 0, 7]


def test_a_fill_that_arrives_twice_counts_once():
    once = fill(2, BUY, 61, 7, 1)
    assert outcomes(started(), once, once)[0].fills == 1


def test_a_trade_that_lies_in_the_opening_balances_is_none_of_ours():
    assert outcomes(started(), opening(trade_id=5), fill(2, BUY, 61, 7, 5))[0].fills == 0


def test_spread_is_the_distance_from_the_mid_that_was_decided_by():
    found = outcomes(started(), decision(1, 61, 64), fill(2, BUY, 61, 10, 1))
    assert found[0].spread_atoms == 15  # one and a half ticks of one atom each, times ten


def test_a_taker_earns_no_spread():
    found = outcomes(started(), decision(1), fill(2, BUY, 63, 10, 1, is_maker=False))
    assert (found[0].spread_atoms, found[0].fills, found[0].maker_fills) == (0, 1, 0)


def test_profit_is_the_fills_at_the_last_mark_and_what_was_carried_into_the_epoch():
    found = outcomes(
        started(), ruled(1, "a"), decision(1, 61, 63), fill(2, BUY, 61, 10, 1),
        ruled(3, "b"), fill(4, SELL, 64, 4, 2), decision(5, 63, 65), ended(6),
    )  # fmt: skip
    assert (found[1].profit_atoms, found[1].trading_atoms, found[1].carried_atoms) == (10, 10, 0)
    # ten lots carried up two ticks; four sold at the new mid of 64
    assert (found[2].profit_atoms, found[2].trading_atoms, found[2].carried_atoms) == (20, 0, 20)
    assert found[2].realised_atoms == 12  # four of them bought at 61


def test_inventory_is_told_from_start_to_end_with_its_extremes():
    found = outcomes(
        started(), decision(1, position=100), ruled(2, "a"), fill(3, BUY, 61, 30, 1),
        fill(4, SELL, 63, 50, 2), decision(5, position=80, bids=(5, 6)), ended(6),
    )[1]  # fmt: skip
    assert (found.position_start, found.position_end) == (100, 80)
    assert (found.position_low, found.position_high) == (80, 130)
    assert found.worst_lots == 91


def test_a_position_of_nothing_is_a_position():
    found = outcomes(started(), decision(1, position=0, bids=()), decision(2, position=5))[0]
    assert (found.position_low, found.position_start, found.worst_lots) == (0, 0, 15)


def test_confirmed_cover_is_no_exposure():
    found = outcomes(started(), hedge_moved(1, 30), decision(2, position=100, bids=(5, 6)))[0]
    assert (found.worst_lots, found.hedge_stances) == (81, ["staged"])


def test_a_markout_takes_the_last_mid_before_its_horizon():
    found = outcomes(
        started(), decision(1), fill(2, BUY, 61, 10, 1), decision(2.9, 62, 64), decision(3.1, 9, 9),
        ended(70),
    )[0]  # fmt: skip
    assert found.markouts[0].atoms == 20  # 63 against 61 after one second
    assert [m.fills for m in found.markouts] == [1, 1, 1, 1]


def test_a_fill_whose_horizon_lies_after_its_session_is_not_judged():
    found = outcomes(
        started(), decision(1), fill(2, BUY, 61, 10, 1), ended(4), started(90, 2), decision(91),
    )  # fmt: skip
    assert [m.fills for m in found[0].markouts] == [1, 0, 0, 0]


def test_recorded_mids_judge_fills_where_they_are_given():
    records = [started(), decision(1), fill(2, BUY, 61, 10, 1), ended(9)]
    better = {MARKET: Marks([int(2.5 * S)], [130])}
    found = reviewed(records, {MARKET: BTT}, better).epochs[0].outcome
    assert found.markouts[0].atoms == 40


def test_a_hedge_costs_its_distance_from_the_mid_when_it_was_sent():
    other = "BTC/USDT@loopback"
    sold = fill(4, SELL, 95, 2, 1, market=other, client_id="h1", is_maker=False)
    found = told(started(), ruled(1, "a"), hedge_sent(3, "h1", other, 200), sold, ended(5))
    mine = next(e for e in found.epochs if e.row == "a").outcome.hedged
    each = found.instruments[other].tick_lot_atoms
    assert (mine.fills, mine.slippage_half) == (1, {other: 2 * 2 * 5 * each})


def test_a_market_that_is_only_hedged_in_is_marked_by_the_mids_of_its_hedges():
    other = "BTC/USDT@loopback"
    paid = fill(3, BUY, 46, 2, 1, market=other, client_id="h", is_maker=False)
    seen = decision(1, 30, 31, market=other)
    market = {
        e.market: e for e in told(started(), seen, hedge_sent(2, "h", other, 90), paid).epochs
    }
    assert market[other].outcome.profit_atoms == 2 * 45 - 2 * 46


def test_a_market_whose_tick_nobody_wrote_down_counts_ticks_times_lots():
    found = told(started(), decision(1), fill(2, BUY, 61, 10, 1), known=False)
    assert found.instruments[MARKET].tick_lot_atoms == 1
    assert found.epochs[0].outcome.spread_atoms == 10


def test_a_rating_change_knows_what_was_before_and_what_was_ruled_on_it():
    found = told(
        started(), ruled(1, "calm"), decision(1), rating(2, "buy"), rating(3, "buy"),
        ruled(3, "bold"), rating(8, "sell"), rating(9, "sell", span_s=300),
    ).changes  # fmt: skip
    assert [(c.before, c.label, c.row, c.row_after) for c in found] == [
        ("", "buy", "calm", "bold"),
        ("buy", "sell", "bold", ""),
        ("", "sell", "bold", ""),
    ]
    assert (found[0].ended_ns - found[0].at_ns, found[0].mid_half_ticks) == (6 * S, 124)


def test_anothers_rating_overrides_only_while_an_own_one_is_fresh():
    found = told(
        started(), rating(1, source="ann"), rating(2, ttl_s=10), rating(3, "sell", source="ann"),
        rating(4, source="config"), rating(20, "sell", source="ann"),
    ).overrides  # fmt: skip
    assert [(o.at_ns // S, o.kind, o.who, o.what) for o in found] == [(3, "rating", "ann", "sell")]


def verdicts(*records):
    return [
        (each.label.value, each.was_heard, each.verdict.value) for each in told(*records).changes
    ]


def test_a_buy_is_right_where_the_mid_is_higher_at_its_end_and_a_false_positive_otherwise():
    said = [started(), decision(0), rating(1), decision(2, 62, 64), rating(3, "sell")]
    same = [decision(4, 62, 64), rating(5, "neutral"), ended(9)]
    assert verdicts(*said, *same) == [
        ("buy", True, "right"), ("sell", True, "false"), ("neutral", True, ""),
    ]  # fmt: skip


def test_a_rating_that_still_holds_is_not_judged():
    assert verdicts(started(), decision(0), rating(1), decision(2, 62, 64)) == [("buy", True, "")]


def test_an_own_rating_is_not_heard_while_a_word_from_outside_is_fresh():
    ratings = [rating(0, "buy", "ann", ttl_s=5), rating(1, "sell"), rating(6, "buy")]
    assert [heard for _, heard, _ in verdicts(started(), *ratings, ended(9))] == [True, False, True]


def test_whoever_says_it_the_next_word_from_outside_takes_the_place_of_the_last():
    """Each `ballast rating set` is a process of its own, with a name of its own."""
    words = [rating(1, "buy", "root (pid 1)"), rating(4, "sell", "root (pid 2)")]
    changes = told(started(), *words).changes
    assert [(each.before, each.ended_ns // S) for each in changes] == [("", 4), ("buy", 0)]


def test_a_word_from_outside_ends_when_it_expires():
    words = [rating(1, "buy", "ann", ttl_s=2), rating(9, "buy", "ann", ttl_s=2)]
    changes = told(started(), *words, ended(20)).changes
    assert [(each.before, each.ended_ns // S) for each in changes] == [("", 3), ("", 11)]


def test_only_the_time_frame_of_policy_is_heard_where_it_is_known():
    review = Review({MARKET: BTT}, policy_ns={MARKET: 60 * S})
    for word in (rating(1, span_s=60), rating(2, span_s=900)):
        review.feed(word)
    assert [each.was_heard for each in review.result().changes] == [True, False]


def test_fees_are_worth_what_they_were_at_the_last_mark_rounded_up():
    lot = BTT.lot_base_atoms
    fees = {"fee_asset": "BTT", "fee_atoms": lot + 1}, {"fee_asset": "USDT", "fee_atoms": 7}
    fills = [fill(2, BUY, 61, 10, 1, **fees[0]), fill(3, BUY, 61, 10, 2, **fees[1])]
    found = outcomes(started(), decision(1), *fills, decision(4, 62, 64))[0]
    assert found.fees_atoms == 7 + 63 * BTT.tick_lot_atoms + 1


def test_a_fee_in_a_third_asset_is_told_as_it_is_and_not_valued():
    paid = fill(2, BUY, 61, 10, 1, fee_asset="BNB", fee_atoms=3)
    found = outcomes(started(), decision(1), paid)[0]
    assert (found.fees, found.fees_atoms) == ({"BNB": 3}, None)


def test_a_word_to_all_markets_overrides_the_rules_of_each():
    other = "BTC/USDT@loopback"
    found = told(started(), ruled(1, "a"), ruled(1, "z", market=other), halt(2, market=""))
    assert [(o.market, o.row) for o in found.overrides] == [(MARKET, "a"), (other, "z")]


def test_overrides_are_counted_by_day_and_by_row():
    day = 86_400
    found = told(
        started(), ruled(1, "a"), halt(2), resume(3), ruled(4, "b"), playbook_set(day + 1),
        ended(day + 2),
    ).overrides  # fmt: skip
    assert by_day(found) == {0: 2, 1: 1}
    assert by_row(found, MARKET) == {"a": 2, "b": 1}


def test_the_playbook_of_a_config_is_no_word_against_the_rules():
    assert told(started(), playbook_set(1, who="config")).overrides == []


def test_an_empty_journal_tells_nothing():
    assert told().epochs == []


# --- the whole, against arithmetic that shares nothing ------------------------------------------


@st.composite
def journals(draw):
    """Any order of records that a journal may hold, of two markets and several sessions."""
    records, at_s, ids = [started()], 0.0, 0
    other = "BTC/USDT@loopback"
    for kind in draw(st.lists(st.integers(0, 13), max_size=60)):
        at_s += draw(st.sampled_from([0.0, 0.3, 2.0, 40.0, 50_000.0]))
        market = draw(st.sampled_from([MARKET, MARKET, other]))
        if kind <= 2:
            bid = draw(st.integers(0, 70))
            ask = draw(st.integers(1, 3)) + bid
            lots = draw(st.integers(-5, 200))
            records.append(decision(at_s, bid, ask, lots, (3, 4), market))
        elif kind <= 5:
            ids += draw(st.sampled_from([0, 1, 1, 1]))
            records.append(
                fill(
                    at_s, draw(st.sampled_from([BUY, SELL])), draw(st.integers(1, 70)),
                    draw(st.integers(1, 99)), ids, market=market, fee_atoms=draw(st.integers(0, 9)),
                    is_maker=draw(st.booleans()), client_id=draw(st.sampled_from(["a", "b"])),
                    fee_asset=draw(st.sampled_from(["USDT", "USDT", "BTT", "BNB"])),
                )
            )  # fmt: skip
        elif kind <= 7:
            records.append(ruled(at_s, draw(st.sampled_from("xyz")), market=market))
        elif kind == 8:
            label, source = (
                draw(st.sampled_from([BUY, SELL, "neutral"])),
                draw(st.sampled_from(["technical rating", "ann", "bob", "config"])),
            )
            ttl_s, span_s = draw(st.integers(1, 100)), draw(st.sampled_from([0, 60, 900]))
            records.append(rating(at_s, label, source, ttl_s, span_s, market))
        elif kind == 9:
            records.append(started(int(at_s) + 1, len(records) + 1))
            at_s = int(at_s) + 1.0
        elif kind == 10:
            word = draw(st.sampled_from([halt, resume, playbook_set]))
            records.append(word(at_s, market=draw(st.sampled_from(["", market]))))
        elif kind == 11:
            records.append(hedge_sent(at_s, draw(st.sampled_from(["a", "b"])), market, 90))
        elif kind == 12:
            records.append(hedge_moved(at_s, draw(st.integers(-9, 99)), market=market))
        else:
            records.append(opening(draw(st.integers(-1, 3)), int(at_s)))
    return records


@given(journals(), st.sampled_from([0, 30 * NS_PER_S]))
def test_every_figure_is_what_other_arithmetic_finds(records, since_ns):
    rows, found = answer(records, since_ns)
    assert differences(rows, found) == []


@given(journals())
def test_epochs_add_up_to_the_whole_and_leave_no_gap_within_a_session(records):
    found = told(*records)
    distinct = Counter((e.market, e.session) for e in found.epochs)
    for market, session in distinct:
        mine = [e for e in found.epochs if (e.market, e.session) == (market, session)]
        assert all(a.ended_ns == b.began_ns for a, b in pairwise(mine))


FIGURES = (
    "fills", "spread_atoms", "profit_atoms", "began_ns", "bought_lots", "worst_lots", "fees_atoms",
)  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_the_other_arithmetic_finds_a_review_that_is_not_true(name):
    records = [started(), decision(1), ruled(1, "a"), fill(2, BUY, 61, 10, 1), decision(3)]
    rows, found = answer(records)
    epoch = found["markets"][0]["epochs"][1]
    place = epoch if name in epoch else epoch["outcome"]
    place[name] += 1
    assert differences(rows, found)


def test_the_other_arithmetic_finds_a_verdict_that_is_not_true():
    records = [started(), decision(0), rating(1), decision(2, 62, 64), rating(3, "sell")]
    rows, found = answer(records)
    found["rating_changes"][0]["verdict"] = "false"
    assert any("ratings told" in each for each in differences(rows, found))
