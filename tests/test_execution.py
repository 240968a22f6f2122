"""Staged orders: the estimate, the schedule, the split, and the life of a parent."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.treasury.amounts import Price
from engine.treasury.estimate import estimate, is_within, slippage_ppm, worst_of
from engine.treasury.execution import OWN_IN_WAY, Parent
from engine.treasury.execution_life import (
    CHILD_MOVES,
    OVER,
    PARENT_MOVES,
    ChildEvent,
    ChildState,
    IllegalMove,
    ParentEvent,
    child_after,
    parent_after,
)
from engine.treasury.planning import NoPlan, plan
from engine.treasury.post_trade import Lessons, review
from engine.treasury.schedule import Plan, schedule
from engine.treasury.split import Offer, split
from engine.treasury.switches import Switches
from engine.values.action_words import Scope
from engine.values.execution_records import ParentState, Switched
from engine.values.units import BUY, SELL
from tests.execution_builders import (
    A,
    B,
    S,
    barred,
    book,
    estimate_params,
    fill,
    levels,
    order,
    params,
    parent,
    price,
    run,
    send,
    shown,
    sight,
    venue,
)

MONEY = 101
"""The mid of the builders' book."""


def estimated(atoms, venues=None, volatility=0, span_s=0, side=SELL, **changes):
    timing = (200_000, volatility, span_s * S)
    return estimate(side, atoms, venues or [venue()], timing, estimate_params(**changes))


# --- before the trade ---------------------------------------------------------------------------


def test_one_order_that_the_book_cannot_hold_has_no_price():
    found = estimated(10_000)
    assert found.at_once_ppm is None
    assert found.child_atoms == 7_000 // 5


def test_slippage_is_counted_against_mid_and_never_rounded_in_our_favour():
    assert slippage_ppm((3, 300), price(101), SELL) == 9_901
    assert slippage_ppm((3, 306), price(101), BUY) == 9_901
    assert slippage_ppm((1, 102), price(101), SELL) == -9_900


def test_a_larger_order_is_expected_to_cost_no_less():
    found = [estimated(atoms).at_once_ppm for atoms in (500, 1_000, 2_000, 7_000)]
    assert found == sorted(found)
    assert found[0] == 9_901


def test_each_buffer_raises_the_ceiling_and_not_what_is_expected():
    calm, wild = estimated(1_000), estimated(1_000, volatility=100, span_s=400)
    assert wild.ceiling_ppm - calm.ceiling_ppm == 100 * 20
    two = estimated(1_000, [venue(), venue(B, book(venue="b"))])
    assert two.ceiling_ppm - calm.ceiling_ppm == 500
    rare = estimated(1_000, [venue(volume=10_000)])
    assert rare.ceiling_ppm - calm.ceiling_ppm == 9 * 1_000
    unknown = estimated(1_000, [venue(volume=None)])
    assert unknown.ceiling_ppm - calm.ceiling_ppm == 3_000
    same = {each.expected_ppm for each in (calm, wild, rare, unknown)}
    assert len(same) == 1


def test_the_impact_is_the_square_root_of_the_share_of_a_day_times_its_volatility():
    # A hundredth of a day's volume at 100 ppm per root of a second: 29394 ppm a day, a tenth of it.
    plain = estimated(1_000, [venue(volume=100_000)], volatility=100)
    found = estimated(1_000, [venue(volume=100_000)], volatility=100, impact_ppm=1_000_000)
    assert found.expected_ppm - plain.expected_ppm == 2_940
    assert found.ceiling_ppm - plain.ceiling_ppm == 2_940
    four = estimated(4_000, [venue(volume=100_000)], volatility=100, impact_ppm=1_000_000)
    assert any(line.startswith("5879 ppm for what 40000 ppm of a day") for line in four.because)
    half = estimated(1_000, [venue(volume=100_000)], volatility=100, impact_ppm=500_000)
    assert half.expected_ppm - plain.expected_ppm == 1_470


def test_an_unknown_volume_has_its_own_term_and_no_impact():
    found = estimated(1_000, [venue(volume=None)], volatility=100, impact_ppm=1_000_000)
    assert found.expected_ppm == estimated(1_000, [venue(volume=None)], volatility=100).expected_ppm
    assert "0 ppm for what an unknown share of a day's volume moves the price by" in found.because


def test_each_term_of_the_estimate_is_a_line_that_people_read():
    found = estimated(1_000, volatility=100, span_s=400, impact_ppm=1_000_000)
    words = ("of what stands within", "walks the book by", "moves the price by", "from reviews",
             "for volatility over 400 s", "for 1 venues", "of a day's volume, beyond")  # fmt: skip
    assert len(found.because) == len(words)
    for word, line in zip(words, found.because, strict=True):
        assert word in line


def test_a_plan_that_would_cost_more_than_the_most_is_not_made():
    with pytest.raises(NoPlan, match="largest ceiling"):
        plan(order(), [venue(at=book(bids=((50, 1_000),)))], params())
    with pytest.raises(NoPlan, match="most allowed"):
        plan(order(), [venue(lesson=55_000)], params())


def test_nothing_is_converted_without_a_current_liquidity_score():
    for age in (None, 6 * S):
        with pytest.raises(NoPlan, match="no current liquidity score"):
            plan(order(score_ns=age), [venue()], params())


def test_an_order_that_cannot_be_done_in_time_is_refused_before_it_begins():
    with pytest.raises(NoPlan, match="children need"):
        plan(order(until_ns=1_020 * S), [venue()], params())


def test_a_small_order_is_one_child_and_a_large_one_never_is():
    assert plan(order(1_000), [venue()], params()).children == 1
    assert plan(order(10_000), [venue()], params()).children == 8


def test_a_thin_day_stretches_the_plan_to_our_share_of_it():
    made = plan(order(10_000), [venue(volume=864_000)], params(participation_ppm=100_000))
    assert made.end_ns - made.begin_ns == 10_000 * S


def test_what_people_signed_is_a_limit_where_it_is_the_stricter_one():
    free = plan(order(), [venue()], params())
    strict = plan(order(least=(10_000 * 101, 10_000)), [venue()], params())
    lax = plan(order(least=(10_000 * 50, 10_000)), [venue()], params())
    assert strict.limit == (10_000 * 101, 10_000)
    assert lax.limit == free.limit


# --- the schedule -------------------------------------------------------------------------------

PLANS = st.builds(
    Plan,
    seed=st.text(max_size=5),
    begin_ns=st.just(5 * S),
    end_ns=st.integers(6 * S, 5_000 * S),
    atoms=st.integers(200, 10**20),
    count=st.integers(1, 200),
    jitter_ppm=st.integers(0, 999_999),
)


@settings(max_examples=200, deadline=None)
@given(PLANS)
def test_a_schedule_does_all_of_it_in_time_and_never_goes_back(made):
    found = schedule(made)
    assert found.done_atoms[-1] == made.atoms
    assert list(found.done_atoms) == sorted(found.done_atoms)
    assert list(found.moments_ns) == sorted(found.moments_ns)
    assert made.begin_ns <= found.moments_ns[0]
    assert found.moments_ns[-1] < made.end_ns
    assert found.due_atoms(made.end_ns) == made.atoms
    assert found.due_atoms(made.begin_ns - 1) == 0
    assert schedule(made) == found


def test_the_jitter_moves_time_and_size_and_another_seed_moves_them_otherwise():
    made = Plan(
        seed="a", begin_ns=0, end_ns=1_000 * S, atoms=10**6, count=10, jitter_ppm=300_000
    )  # fmt: skip
    one, two = schedule(made), schedule(msgspec.structs.replace(made, seed="b"))
    even = schedule(msgspec.structs.replace(made, jitter_ppm=0))
    assert one != two
    steps = [b - a for a, b in itertools.pairwise((0, *one.done_atoms))]
    assert len(set(steps)) > 5
    assert all(0.5 < step / 100_000 < 1.9 for step in steps)
    assert all(b - a == 100_000 for a, b in itertools.pairwise((0, *even.done_atoms)))


# --- the split ----------------------------------------------------------------------------------


def offer(market, rows, fee=0, lesson=0, lot=1, least=1, most=10**9):
    return Offer(
        market=market, levels=levels(rows), extra_ppm=fee + lesson, lot_atoms=lot,
        least_atoms=least, most_atoms=most,
    )  # fmt: skip


def parts(atoms, *offers, side=SELL, worst=1):
    return {part.market: part.atoms for part in split(side, atoms, offers, price(worst))}


def test_a_child_goes_where_walking_the_books_costs_least():
    a, b = offer(A, ((100, 50), (98, 50))), offer(B, ((99, 50), (97, 50)))
    assert parts(120, a, b) == {A: 70, B: 50}
    assert parts(40, a, b) == {A: 40}


def test_fees_and_lessons_move_a_child_to_another_venue():
    rows = ((100, 50),)
    assert parts(40, offer(A, rows, fee=1_000), offer(B, rows)) == {B: 40}
    assert parts(40, offer(A, rows), offer(B, rows, lesson=5)) == {A: 40}


def test_a_part_too_small_for_its_venue_goes_to_the_others():
    a, b = offer(A, ((100, 5), (99, 95)), least=10), offer(B, ((99, 100),), least=50)
    assert parts(60, a, b) == {A: 60}
    assert parts(8, a, b) == {}


def test_parts_are_whole_lots_and_no_more_than_a_venue_may_take():
    assert parts(99, offer(A, ((100, 500),), lot=10)) == {A: 90}
    assert parts(99, offer(A, ((100, 500),), most=33)) == {A: 33}


def test_no_level_beyond_the_limit_is_touched():
    found = split(SELL, 99, [offer(A, ((100, 10), (99, 10), (98, 10)))], price(99))
    assert [(part.atoms, part.limit.money_atoms // part.limit.atoms) for part in found] == [
        (20, 99)
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(90, 110), st.integers(1, 50)), min_size=1, max_size=5),
        min_size=1, max_size=3,
    ),
    st.integers(1, 400), st.sampled_from([SELL, BUY]),
)  # fmt: skip
def test_a_split_costs_what_one_book_of_all_venues_would(rows, atoms, side):
    sign = -1 if side is SELL else 1
    books = [sorted(each, key=lambda row: row[0] * sign) for each in rows]
    offers = [offer(str(index), each) for index, each in enumerate(books)]
    found = split(side, atoms, offers, price(1 if side is SELL else 1_000))
    merged = sorted((row for each in books for row in each), key=lambda row: row[0] * sign)
    left, best = atoms, 0
    for unit, size in merged:
        best += unit * min(left, size)
        left -= min(left, size)
    assert sum(part.atoms for part in found) == atoms - left
    assert sum(part.money_atoms for part in found) == best


# --- the lives, as tables -----------------------------------------------------------------------


@pytest.mark.parametrize("state", ParentState)
@pytest.mark.parametrize("event", ParentEvent)
def test_a_parent_moves_by_its_table_and_an_illegal_move_changes_nothing(state, event):
    made = parent()
    made.state = state
    if (state, event) in PARENT_MOVES:
        assert made.move(event, "why", 5).after is PARENT_MOVES[state, event]
        return
    with pytest.raises(IllegalMove):
        made.move(event, "why", 5)
    assert (made.state, made.why) == (state, "")


def test_done_and_killed_are_for_good_and_a_child_ends_once():
    for state in (ParentState.DONE, ParentState.KILLED):
        assert not [event for event in ParentEvent if (state, event) in PARENT_MOVES]
    assert parent_after(ParentState.HANDED_OVER, ParentEvent.TAKE_BACK) is ParentState.WORKING
    for event in ChildEvent:
        with pytest.raises(IllegalMove):
            child_after(ChildState.ENDED, event)
    assert set(CHILD_MOVES.values()) == {ChildState.DOUBTFUL, ChildState.ENDED}


# --- at work ------------------------------------------------------------------------------------


def test_a_parent_does_all_of_it_in_children_and_is_done():
    made = parent()
    moves = run(made, 200)
    assert made.state is ParentState.DONE
    assert made.done_atoms == 10_000
    assert len(made.children) >= 8
    assert [moved.after for moved in moves] == [ParentState.DONE]
    sizes = [child.sent.atoms for child in made.children.values()]
    assert max(sizes) <= made.plan.child_atoms_max


def test_a_purchase_is_worked_from_the_other_side_of_the_book():
    asks = book(asks=((102, 1_000), (103, 9_000)))
    made = parent(10_000, [venue(at=asks)], side=BUY)
    run(made, 200, lambda: shown(at=asks, levels=asks.asks))
    assert made.state is ParentState.DONE
    assert made.money_atoms >= 102 * 10_000
    found = review(made, Lessons(estimate_params()), 1_300 * S)
    assert found.realised_ppm >= 9_901
    assert made.plan.limit[0] > 102 * made.plan.limit[1]


def test_no_child_is_below_the_limit_of_the_plan():
    made = parent()
    low = book(bids=((96, 1_000), (94, 9_000)), asks=((104, 10),))
    run(made, 30, lambda: shown(at=low))
    worst = Price(asset="", money_atoms=made.plan.limit[0], base_atoms=made.plan.limit[1], at_ns=0)
    assert not is_within(low.bids[1], worst, SELL)
    assert all(child.money_atoms >= 96 * child.atoms for child in made.children.values())


def test_nothing_within_the_ceiling_waits_and_then_goes_to_a_person():
    made = parent()
    low = book(bids=((90, 1_000),), asks=((112, 10),))
    assert run(made, 100, lambda: shown(at=low)) == []
    assert made.look(sight(1_100, shown(at=low))).waits.startswith("too little stands within")
    (moved,) = run(made, 200, lambda: shown(at=low), begin_s=1_101)
    assert moved.after is ParentState.HANDED_OVER
    assert "10000 atoms are left" in moved.why


def test_what_is_still_out_counts_as_done_until_the_venue_proves_its_end():
    made = parent(1_000)
    (wish,) = made.look(sight(1_009)).wishes
    client_id = send(made, wish, 1_009)
    assert made.look(sight(1_100)).wishes == []
    assert (made.out_atoms, made.left_atoms) == (1_000, 0)
    made.ended(client_id)
    assert made.look(sight(1_101)).wishes[0].atoms == 1_000


def test_no_more_than_our_share_of_what_others_trade():
    made = parent(how=params(participation_ppm=100_000))
    look = made.look(sight(1_009, shown(volume_atoms=5_000)))
    assert [wish.atoms for wish in look.wishes] == [500]
    fill(made, send(made, look.wishes[0], 1_009))
    look = made.look(sight(1_020, shown(volume_atoms=5_050)))
    assert (look.wishes, look.waits) == ([], "our share of what others trade is used up")


def test_children_keep_a_distance_even_when_they_are_late():
    made = parent()
    client_id = send(made, made.look(sight(1_050)).wishes[0], 1_050)
    fill(made, client_id)
    assert made.look(sight(1_051)).wishes == []
    assert made.look(sight(1_053)).wishes


def test_two_venues_share_a_child_and_a_busy_one_sits_out():
    venues = [venue(), venue(B, book(venue="b"))]
    made = parent(10_000, venues)
    both = made.look(sight(1_009, shown(), shown(B)))
    assert {wish.market for wish in both.wishes} <= {A, B}
    one = made.look(sight(1_009, shown(is_busy=True), shown(B)))
    assert {wish.market for wish in one.wishes} == {B}


def test_our_own_quotes_in_the_way_are_said_and_never_met():
    made = parent()
    look = made.look(sight(1_009, shown(levels=(), is_own_in_way=True)))
    assert (look.wishes, look.waits, look.is_own_in_way) == ([], OWN_IN_WAY, True)


# --- pauses, resumption, a person ---------------------------------------------------------------


PAUSES = {
    "price gap": lambda: shown(at=book(bids=((94, 5_000),), asks=((96, 10),))),
    "stale price": barred,
    "unanswered venue": lambda: shown(doubt="no end after 5 s", is_busy=True),
}


@pytest.mark.parametrize("why", PAUSES)
def test_trouble_pauses_a_parent_and_calm_resumes_it(why):
    made = parent()
    made.look(sight(1_001))
    (paused,) = made.look(sight(1_002, PAUSES[why]())).moves
    assert (paused.after, paused.why[: len(why)]) == (ParentState.PAUSED, why)
    assert made.look(sight(1_003, PAUSES[why]())).wishes == []
    made.look(sight(1_004))
    assert made.look(sight(1_005)).wishes == []
    moves = [move for at in range(1_006, 1_060) for move in made.look(sight(at)).moves]
    assert [move.after for move in moves] == [ParentState.WORKING]
    assert why in moves[0].why
    assert made.look(sight(1_060)).wishes


def doubted():
    return barred(why="PULLED: loop lag 212 ms", is_stale=False)


def test_a_doubt_that_settles_in_time_delays_a_child_and_pauses_nothing():
    made = parent()
    made.look(sight(1_001))
    for at in (1_009, 1_010, 1_012):
        look = made.look(sight(at, doubted()))
        assert (look.moves, look.wishes) == ([], [])
        assert look.waits == f"stale price: {A}: PULLED: loop lag 212 ms, for {at - 1_009} s"
    assert made.look(sight(1_013)).wishes
    (paused,) = [m for at in range(1_020, 1_026) for m in made.look(sight(at, doubted())).moves]
    assert (paused.after, paused.at_ns) == (ParentState.PAUSED, 1_025 * S)


def test_short_doubts_do_not_begin_the_calm_anew():
    made = parent()
    made.look(sight(1_001, barred()))
    moves = []
    for at in range(1_002, 1_030):
        moves += made.look(sight(at, doubted() if at % 3 else shown())).moves
    assert [(move.after, move.at_ns) for move in moves] == [(ParentState.WORKING, 1_023 * S)]


def test_a_doubt_that_lasts_begins_the_calm_anew_and_goes_to_a_person():
    made = parent()
    made.look(sight(1_001, barred()))
    moves = [m for at in range(1_002, 1_200) for m in made.look(sight(at, doubted())).moves]
    assert [move.after for move in moves] == [ParentState.HANDED_OVER]
    made = parent()
    made.look(sight(1_001, barred()))
    for at in range(1_002, 1_016):
        made.look(sight(at, doubted()))
    moves = [m for at in range(1_016, 1_040) for m in made.look(sight(at)).moves]
    assert [move.at_ns for move in moves] == [1_035 * S]


def test_people_read_what_is_wrong_now_and_not_what_paused_it_first():
    made = parent()
    made.look(sight(1_001, shown(doubt="no end after 5 s", is_busy=True)))
    assert made.why.startswith("unanswered venue")
    made.look(sight(1_002, doubted()))
    assert made.look(sight(1_004, doubted())).waits.endswith("loop lag 212 ms, for 2 s")
    waits = made.look(sight(1_006)).waits
    assert waits == f"calm for 5 of 20 s, after: unanswered venue: {A}: no end after 5 s"


def test_what_a_person_gives_back_is_not_paused_for_what_was_wrong_before():
    made = parent()
    for at in range(1_001, 1_200):
        made.look(sight(at, doubted()))
    assert made.state is ParentState.HANDED_OVER
    made.move(ParentEvent.TAKE_BACK, "given back by ann", 1_300 * S)
    assert made.look(sight(1_301, doubted())).moves == []
    assert made.state is ParentState.WORKING


def test_a_spent_turnover_cap_pauses_and_room_resumes():
    made = parent()
    (paused,) = made.look(sight(1_009, turnover=9)).moves
    assert paused.why == "the daily turnover cap is spent"
    moves = [m for at in range(1_010, 1_040) for m in made.look(sight(at, turnover=300)).moves]
    assert [move.after for move in moves] == [ParentState.WORKING]
    assert made.look(sight(1_041, turnover=300)).wishes[0].atoms == 300


def test_a_pause_that_lasts_is_handed_over_to_a_person_who_may_give_it_back():
    made = parent()
    moves = [m for at in range(1_001, 1_200) for m in made.look(sight(at, barred())).moves]
    assert [move.after for move in moves] == [ParentState.PAUSED, ParentState.HANDED_OVER]
    assert made.look(sight(1_201)).wishes == []
    made.move(ParentEvent.TAKE_BACK, "given back by ann", 1_300 * S)
    run(made, 119, begin_s=1_300)
    assert made.state is ParentState.DONE


def test_a_pause_never_ends_a_parent_while_a_child_may_still_fill():
    made = parent()
    client_id = send(made, made.look(sight(1_009)).wishes[0], 1_009)
    made.doubted(client_id)
    doubt = shown(doubt="no usable answer", is_busy=True)
    for at in range(1_010, 1_500):
        made.look(sight(at, doubt))
    assert made.state is ParentState.PAUSED
    made.ended(client_id)
    made.look(sight(1_500, doubt))
    assert made.state is ParentState.HANDED_OVER


# --- kill switches ------------------------------------------------------------------------------


def switched(scope, name, *, is_on=True):
    return Switched(at_ns=1, scope=scope, name=name, is_on=is_on, who="ann", reason="why")


@pytest.mark.parametrize(
    ("scope", "name"),
    [(Scope.ALL, ""), (Scope.ASSET, "BTT"), (Scope.ACTION, "p1"), (Scope.ACTION, "d" * 64)],
)
def test_a_kill_switch_ends_a_parent_for_good(scope, name):
    made, switches = parent(), Switches()
    switches.remember(switched(scope, name))
    (moved,) = made.look(sight(1_009, killed=switches.stops(made.plan))).moves
    assert moved.after is ParentState.KILLED
    assert "by ann: why" in moved.why
    switches.remember(switched(scope, name, is_on=False))
    assert switches.stops(made.plan) == ""
    assert made.look(sight(1_010)).wishes == []


def test_a_kill_switch_ends_what_a_person_was_handed_too():
    made, switches = parent(), Switches()
    made.move(ParentEvent.HAND_OVER, "too late", 1_009 * S)
    assert made.look(sight(1_010)).moves == []
    switches.remember(switched(Scope.ACTION, made.plan.parent))
    (moved,) = made.look(sight(1_011, killed=switches.stops(made.plan))).moves
    assert (moved.before, moved.after) == (ParentState.HANDED_OVER, ParentState.KILLED)
    assert made.look(sight(1_012, killed="again")).moves == []


def test_switches_of_others_stop_nothing():
    made, switches = parent(), Switches()
    for scope, name in ((Scope.ASSET, "XYZ"), (Scope.ACTION, "p2"), (Scope.VENUE, "b")):
        switches.remember(switched(scope, name))
    assert switches.stops(made.plan) == ""
    assert (switches.stops_venue("a"), bool(switches.stops_venue("b"))) == ("", True)


def test_a_killed_venue_leaves_the_others_and_the_last_one_ends_the_parent():
    made = parent(10_000, [venue(), venue(B, book(venue="b"))])
    dead = msgspec.structs.replace(barred(), is_killed=True)
    look = made.look(sight(1_009, dead, shown(B)))
    assert {wish.market for wish in look.wishes} == {B}
    (moved,) = made.look(sight(1_010, dead, msgspec.structs.replace(dead, market=B))).moves
    assert (moved.after, moved.why) == (ParentState.KILLED, "no allowed venue is left")


# --- after the trade ----------------------------------------------------------------------------


def reviewed(limit_price=99, lessons=None):
    made = parent(1_000)
    look = made.look(sight(1_009))
    fill(made, send(made, look.wishes[0], 1_009), limit_price, at_s=1_010)
    made.look(sight(1_020))
    assert made.state is ParentState.DONE
    return review(made, lessons or Lessons(estimate_params()), 1_020 * S)


def test_a_review_says_what_it_cost_beside_what_was_expected():
    found = reviewed()
    (row,) = found.venues
    assert (found.atoms, found.left_atoms, found.realised_ppm) == (1_000, 0, 19_802)
    assert (row.realised_ppm, row.estimate_ppm, row.deviation_ppm) == (19_802, 9_901, 9_901)
    assert row.wait_ns == S
    assert found.took_ns == 10 * S


def test_a_poor_venue_teaches_the_next_estimate_within_bounds():
    lessons = Lessons(estimate_params())
    seen = []
    for _ in range(4):
        found = reviewed(lessons=lessons)
        seen.append(found.lessons[A])
        lessons.remember(found)
    assert seen == [4_950, 5_000, 5_000, 5_000]
    assert "the next estimate adds 4950 ppm (was 0)" in reviewed().because[0]


def test_a_good_venue_unlearns_and_one_without_fills_teaches_nothing():
    lessons = Lessons(estimate_params())
    lessons.remember(reviewed())
    assert reviewed(100, lessons).lessons[A] == 4_950
    better = reviewed(102, lessons)
    assert better.lessons[A] < 4_950
    made = parent(1_000)
    client_id = send(made, made.look(sight(1_009)).wishes[0], 1_009)
    made.ended(client_id)
    made.move(ParentEvent.KILL, "stop", 1_010 * S)
    found = review(made, lessons, 1_011 * S)
    assert (found.lessons, found.realised_ppm) == ({}, None)
    assert "nothing learned" in found.because[0]


# --- over and over ------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["calm", "gap", "stale", "lag", "doubt", "thin", "cap"]),
        st.integers(0, 3), st.integers(1, 30),
    ),
    min_size=1, max_size=40,
)  # fmt: skip
SHOWN = {
    "calm": shown,
    "gap": lambda: shown(at=book(bids=((96, 5_000),), asks=((98, 10),))),
    "stale": barred,
    "lag": lambda: barred(is_stale=False),
    "doubt": lambda: shown(doubt="?"),
    "thin": lambda: shown(volume_atoms=100),
    "cap": shown,
}


@settings(max_examples=150, deadline=None)
@given(ACTS, st.booleans())
def test_whatever_happens_no_more_is_sold_than_agreed_and_a_restart_knows_it_all(acts, kills):
    made, journal = parent(5_000), []
    at_s, open_ids = 1_000, []
    for kind, fate, seconds in acts:
        at_s += seconds
        turnover = 5 if kind == "cap" else 10**9
        look = made.look(sight(at_s, SHOWN[kind](), turnover=turnover))
        journal += look.moves
        for wish in look.wishes:
            assert made.state is ParentState.WORKING
            assert wish.atoms <= turnover
            open_ids.append(send(made, wish, at_s))
            journal.append(made.children[open_ids[-1]].sent)
        if open_ids and fate:
            client_id = open_ids.pop(0)
            atoms = made.children[client_id].sent.atoms * (fate - 1) // 2
            fill(made, client_id, atoms=atoms)
            journal.append((client_id, atoms))
        made.check()
    if kills and made.state not in OVER:
        journal.append(made.move(ParentEvent.KILL, "stop", at_s * S))
    again = Parent(made.plan, params())
    for told in journal:
        if isinstance(told, tuple):
            fill(again, told[0], atoms=told[1])
        else:
            again.remember(told)
    assert (again.state, again.why, again.since_ns) == (made.state, made.why, made.since_ns)
    assert (again.done_atoms, again.money_atoms) == (made.done_atoms, made.money_atoms)
    assert (again.out_atoms, again.left_atoms) == (made.out_atoms, made.left_atoms)


def test_the_worst_price_is_on_the_bad_side_of_mid():
    assert worst_of(price(100), SELL, 10_000) == price(100 * 990_000, 1_000_000)
    assert worst_of(price(100), BUY, 10_000) == price(100 * 1_010_000, 1_000_000)
