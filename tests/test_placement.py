"""The matrix of uses: models, rooms, ranking, and a proposal that is never an order."""

import math
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.treasury.actions import problem
from engine.treasury.coverage import curve
from engine.treasury.dates import NS_PER_H
from engine.treasury.impermanent import drawdown, expected_loss, impermanent_loss, pool_worth
from engine.treasury.placement import Rate, place
from engine.treasury.placement_after import after, margin_atoms, slippage_ppm
from engine.treasury.placement_params import (
    DerivativeParams,
    HalfParams,
    OptionParams,
    PlacementParams,
    PoolParams,
    Use,
    WeightParams,
)
from engine.treasury.placement_room import Desk, room_of, spare_atoms, where_of
from engine.values.action_words import AddToPool, Convert, HedgeAction, Stake
from engine.values.treasury_words import LockKind, Measure
from tests.holdings_builders import (
    NOW_NS,
    book,
    bucket,
    facts,
    limit,
    lock,
    locks,
    obligations,
    owed,
    seen,
)

PPM = 1_000_000


# --- models -------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e3))
def test_the_impermanent_loss_is_what_a_pool_that_is_traded_against_really_loses(ratio):
    token, money = 10_000.0, 10_000.0
    k, price = token * money, ratio
    token_after, money_after = math.sqrt(k / price), math.sqrt(k * price)
    pool, held = token_after * price + money_after, token * price + money
    assert impermanent_loss(ratio) == pytest.approx(pool / held - 1)
    assert pool_worth(ratio) == pytest.approx(pool / (token + money))


def test_the_known_points_of_the_curve():
    assert impermanent_loss(1.0) == 0.0
    assert impermanent_loss(2.0) == pytest.approx(-0.0572, abs=1e-4)
    assert impermanent_loss(0.5) == pytest.approx(impermanent_loss(2.0))
    assert impermanent_loss(5.0) == pytest.approx(-0.2546, abs=1e-4)
    assert drawdown(0.75) == pytest.approx(0.5)


def test_the_mean_loss_is_that_of_a_price_without_drift():
    """Against the integral over the normal distribution of the logarithm, by the midpoint rule."""
    volatility, years, count = 0.9, 1.5, 20_000
    deviation, mean = volatility * math.sqrt(years), -(volatility**2) * years / 2
    width = 16 / count
    total = 0.0
    for i in range(count):
        z = -8 + (i + 0.5) * width
        ratio = math.exp(mean + deviation * z)
        weight = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * width
        total += weight * ((1 + ratio) / 2 - math.sqrt(ratio))
    assert expected_loss(volatility, years) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("call", [lambda: impermanent_loss(0.0), lambda: expected_loss(-1.0, 1.0)])
def test_a_price_of_nothing_has_no_loss(call):
    with pytest.raises(ValueError, match=r"must not|more than 0"):
        call()


# --- a small treasury ---------------------------------------------------------------------------


def option(use, **changes):
    known = {
        "name": use.value,
        "platform": "p",
        "address": "T1",
        "yield_ppm": 0,
        "lock_h": 0,
        "unwind_h": 0,
        "complexity": 10.0,
    }
    return OptionParams(use=use, **{**known, **changes})


def params(*options, **changes):
    known = {
        "asset": "BTT",
        "needs_days": 45,
        "least": "1",
        "rate_age_max_s": 3_600,
        "convert_h": 24,
        "weights": WeightParams(gain=1, lock=1, slippage=1, complexity=1, unwind=1),
        "half": HalfParams(gain_ppm=50_000, lock_h=72, slippage_ppm=20_000, unwind_h=72),
        "pool": PoolParams(
            capital_money_max="1000",
            drawdown_money_max="1000",
            fall_ppm=750_000,
            volatility_ppm=PPM,
        ),
        "derivatives": DerivativeParams(
            notional_money_max="1000",
            rise_ppm=PPM,
            maintenance_ppm=100_000,
            checklist={"desk trained": True},
        ),
        "options": [option(Use.HOLD), *options],
    }
    return PlacementParams(**{**known, **changes})


def world(*more, btt=1_000, usdt=2_000):
    """600 BTT of surplus at "two" (300 are discretionary and 100 the float at "one")."""
    return facts(
        seen("one", BTT=100, USDT=0),
        seen("two", BTT=btt - 100, USDT=usdt),
        book("two", bids=[(2, 10_000)], asks=[(3, 10_000)]),
        *more,
    )


def desk(found, *options, limits=(), **changes):
    return Desk(facts=found, params=params(*options, **changes), limits=list(limits))


def room(found, one, limits=(), **changes):
    given_desk = desk(found, one, limits=limits, **changes)
    return room_of(given_desk, one, where_of(found, "BTT"))


STAKE = option(Use.STAKE, yield_ppm=80_000, unwind_h=168)


# --- how much -----------------------------------------------------------------------------------


def test_only_surplus_is_placed():
    assert where_of(world(), "BTT").atoms == 600
    assert room(world(), STAKE).atoms == 600


def test_staking_only_from_what_exceeds_45_days_of_needs():
    within = room(world(obligations(owed("a", 45, 900))), STAKE)
    beyond = room(world(obligations(owed("a", 46, 900))), STAKE)
    assert within.atoms <= 100
    assert beyond.atoms > 100


def test_what_is_staked_already_counts_against_the_needs():
    found = world(obligations(owed("a", 10, 500)), locks(lock("old", 300, 1)))
    spare = spare_atoms(found, "BTT", 45)
    assert spare.atoms == 1_300 - 500 - 300


def test_needs_in_money_bind_where_the_token_is_cheap():
    dear = world(obligations(owed("a", 10, 3_000, asset="USDT")), usdt=1_500)
    found = room(dear, STAKE)
    assert found.bound_by == "needs of 45 days, in money" or found.atoms < 600


def test_nothing_is_staked_that_would_leave_a_date_uncovered():
    # 800 are due on day 50, before the stake could be back; 45 days of needs would allow 600.
    slow = option(Use.STAKE, unwind_h=24 * 60)
    found = world(obligations(owed("a", 50, 800)), usdt=0)
    got = room(found, slow)
    assert 190 < got.atoms <= 200
    assert got.bound_by == "BTT that is due on 2024-11-23"
    pictured = after(found, params(), slow, where_of(found, "BTT"), got.atoms)
    assert not any(point.shorts for point in curve(pictured))


def test_what_comes_back_before_the_date_does_no_harm():
    quick = option(Use.STAKE, unwind_h=24)
    found = world(obligations(owed("a", 50, 800)), usdt=0)
    slow = option(Use.STAKE, unwind_h=24 * 60)
    assert room(found, quick).atoms > room(found, slow).atoms


def test_a_limit_that_holds_is_not_passed_by_a_proposal():
    row = limit(Measure.STAKED, name="stake", asset="BTT", days=45, tokens="250")
    got = room(world(), STAKE, limits=[row])
    assert 240 <= got.atoms <= 250
    assert "stake" in got.bound_by


def test_a_pool_stays_inside_its_ring_fence_and_its_drawdown():
    pool = option(Use.POOL)
    # 5/2 a token; a fall of 75 % takes half: drawdown 200 allows 400 of capital, 80 tokens a side.
    small = PoolParams(
        capital_money_max="1000", drawdown_money_max="200", fall_ppm=750_000, volatility_ppm=0
    )
    assert room(world(), pool, pool=small).atoms == 80
    assert room(world(), pool, pool=small).bound_by == "the drawdown limit"
    assert room(world(), pool).bound_by == "ring-fenced capital"


def test_what_is_in_pools_already_takes_of_the_ring_fence():
    old = locks(lock("p/BTT", 160, 1, kind=LockKind.POOL))
    free, used = room(world(), option(Use.POOL)), room(world(old), option(Use.POOL))
    assert used.atoms < free.atoms


def test_derivatives_wait_for_the_checklist():
    hedge = option(Use.DERIVATIVES)
    undone = DerivativeParams(
        notional_money_max="1000",
        rise_ppm=PPM,
        maintenance_ppm=100_000,
        checklist={"margin desk": False, "playbook": True},
    )
    got = room(world(), hedge, derivatives=undone)
    assert (got.atoms, got.bound_by) == (0, "checklist: not yet margin desk")


def test_a_short_has_all_the_margin_that_its_rise_asks_for():
    found, rules = world(), params().derivatives
    # 100 tokens at 5/2 are 250; doubled, the loss is 250 and 10 % of 500 must be left.
    assert margin_atoms(found, "BTT", 100, rules) == 300
    poor = room(world(usdt=120), option(Use.DERIVATIVES))
    assert margin_atoms(world(usdt=120), "BTT", poor.atoms, rules) <= 120


def test_without_a_price_nothing_is_placed():
    blind = facts(seen("two", BTT=1_000, USDT=10))
    for use in (Use.STABLE, Use.STAKE, Use.POOL, Use.DERIVATIVES):
        assert room(blind, option(use)).atoms == 0


# --- the table ----------------------------------------------------------------------------------


def test_more_yield_ranks_higher_and_longer_unwinding_lower():
    fine, slow = (
        option(Use.STAKE, name="fine", yield_ppm=80_000, unwind_h=24),
        option(Use.STAKE, name="slow", yield_ppm=80_000, unwind_h=24 * 30),
    )
    rich = option(Use.STAKE, name="rich", yield_ppm=300_000, unwind_h=24)
    table = place(desk(world(), slow, fine, rich), {})
    names = [line.option.name for line in table.lines if line.option.use is Use.STAKE]
    assert names == ["rich", "fine", "slow"]


def test_the_scores_can_be_done_on_paper():
    table = place(desk(world(), STAKE), {})
    line = next(line for line in table.lines if line.option.use is Use.STAKE)
    scores = {part.name: part.score for part in line.parts}
    # The sale of 600 at 2 loses 20 % against 5/2.
    assert scores["gain"] == pytest.approx(100 * 8 / 13)
    assert scores["lock"] == 100
    assert scores["slippage"] == pytest.approx(100 * 20 / 220)
    assert scores["complexity"] == 90
    assert scores["unwind"] == pytest.approx(100 * 72 / 240)
    assert line.score == pytest.approx(sum(scores.values()) / 5)


def test_an_option_without_room_comes_last_and_says_why():
    table = place(desk(world(obligations(owed("a", 10, 1_000))), STAKE), {})
    last = table.lines[-1]
    assert (last.option.name, last.atoms) == ("stake", 0)
    assert "needs of 45 days" in last.room.bound_by or "surplus" in last.room.bound_by


def test_a_figure_of_the_moment_counts_before_the_file():
    now = Rate(option="stake", yield_ppm=20_000, unwind_h=500, at_ns=NOW_NS)
    line = place(desk(world(), STAKE), {"stake": now}).lines
    told = next(one for one in line if one.option.use is Use.STAKE)
    assert (told.option.yield_ppm, told.option.unwind_h) == (20_000, 500)


def test_a_figure_of_yesterday_can_only_make_an_option_worse():
    old_ns = NOW_NS - 24 * NS_PER_H
    for paid, hours in ((900_000, 1), (10_000, 900)):
        old = Rate(option="stake", yield_ppm=paid, unwind_h=hours, at_ns=old_ns)
        line = next(
            one
            for one in place(desk(world(), STAKE), {"stake": old}).lines
            if one.option.use is Use.STAKE
        )
        assert line.option.yield_ppm <= STAKE.yield_ppm
        assert line.option.unwind_h >= STAKE.unwind_h


def test_the_pool_says_what_it_may_lose():
    pool = option(Use.POOL, yield_ppm=200_000)
    line = next(one for one in place(desk(world(), pool), {}).lines if one.option.use is Use.POOL)
    told = " ".join(line.reasons)
    assert "impermanent loss 11.8 %" in told
    assert "a fall of 75 % takes 50.0 % of the capital, 20.0 % more" in told
    assert line.parts[0].found == pytest.approx(200_000 - PPM * (1 - math.exp(-1 / 8)))


def test_the_forward_schedule_says_what_falls_due_before_it_is_back():
    found = world(obligations(owed("a", 3, 10), owed("b", 30, 10)))
    line = next(one for one in place(desk(found, STAKE), {}).lines if one.option.use is Use.STAKE)
    assert line.back_ns == NOW_NS + 168 * NS_PER_H
    assert line.owed_before == 1
    assert line.left_money_atoms is not None


EAGER = {
    "weights": WeightParams(gain=1, lock=0, slippage=0, complexity=0, unwind=0),
}


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (Use.STAKE, Stake),
        (Use.POOL, AddToPool),
        (Use.DERIVATIVES, HedgeAction),
        (Use.STABLE, Convert),
    ],
)
def test_the_best_use_becomes_a_request_that_makes_sense(use, kind):
    best = option(use, yield_ppm=5 * PPM, unwind_h=24)
    table = place(desk(world(), best, **EAGER), {})
    assert isinstance(table.proposal, kind)
    assert problem(table.proposal) == ""


def test_where_nothing_beats_holding_nothing_is_proposed():
    poor = option(Use.STAKE, yield_ppm=-10, unwind_h=2_000, complexity=90.0)
    table = place(desk(world(), poor), {})
    assert table.proposal is None
    assert table.why == "nothing beats holding"


def test_without_a_surplus_there_is_nothing_to_propose():
    table = place(desk(world(btt=300), STAKE, **EAGER), {})
    assert (table.proposal, table.why) == (None, "there is no surplus to place")


def test_less_than_is_worth_it_is_not_proposed():
    best = option(Use.STAKE, yield_ppm=5 * PPM)
    assert place(desk(world(), best, least="601", **EAGER), {}).proposal is None


def test_a_person_may_ask_for_less_and_never_for_more():
    best = option(Use.STAKE, yield_ppm=5 * PPM)
    assert place(desk(world(), best, **EAGER), {}, 100).proposal.coins.atoms == 100
    assert place(desk(world(), best, **EAGER), {}, 10_000).proposal.coins.atoms == 600


@given(st.integers(0, 1_500), st.integers(0, 60), st.integers(0, 3_000), st.integers(1, 90))
def test_no_proposal_ever_leaves_a_date_worse_covered(due_atoms, days, usdt, unwind_days):
    best = option(Use.STAKE, yield_ppm=5 * PPM, unwind_h=24 * unwind_days)
    rows = [owed("a", days, due_atoms)] if due_atoms else []
    found = world(obligations(*rows), usdt=usdt)
    given_desk = desk(found, best, **EAGER)
    where = where_of(found, "BTT")
    for line in place(given_desk, {}).lines:
        if line.atoms and line.option.use is not Use.HOLD:
            pictured = after(found, given_desk.params, line.option, where, line.atoms)
            assert shorts(pictured) <= shorts(found)


def shorts(found):
    return sum(short.atoms for point in curve(found) for short in point.shorts)


def test_slippage_is_the_loss_against_the_price():
    assert slippage_ppm(world(), "BTT", "two", 100) == Fraction(1, 5) * PPM
    assert slippage_ppm(world(), "BTT", "two", 20_000) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"options": [option(Use.STAKE)]}, "hold spot"),
        ({"pool": None, "options": [option(Use.HOLD), option(Use.POOL)]}, "placement.pool"),
        (
            {"derivatives": None, "options": [option(Use.HOLD), option(Use.DERIVATIVES)]},
            "placement.derivatives",
        ),
        ({"options": [option(Use.HOLD), option(Use.HOLD)]}, "twice"),
        ({"least": "-1"}, "least"),
        ({"needs_days": -1}, "needs_days"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(change, fault):
    with pytest.raises(ValueError, match=fault):
        params(**change)


def test_an_asset_without_a_bucket_row_is_all_surplus():
    found = facts(
        seen("two", TRX=500),
        book("two", "TRX", bids=[(2, 1_000)], asks=[(3, 1_000)]),
        buckets={"BTT": bucket("BTT")},
    )
    given_desk = desk(found, STAKE)
    rules = msgspec.structs.replace(given_desk.params, asset="TRX")
    table = place(msgspec.structs.replace(given_desk, params=rules), {})
    assert table.surplus_atoms == 500
