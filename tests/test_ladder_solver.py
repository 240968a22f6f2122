"""The ladder against every possible plan of small ladders, and its plans on facts."""

import random
from fractions import Fraction
from itertools import product

import pytest

from engine.treasury.dates import NS_PER_DAY, NS_PER_H
from engine.treasury.ladder import BLOCKS_MAX, Bid, Ladder, Source, solve
from engine.treasury.ladder_params import EmergencyParams, How, RungParams
from engine.treasury.ladder_plan import actions_of, picture
from engine.treasury.ladder_sources import ladder_of
from engine.values.action_words import EmergencySale, TakeFromPool, Unstake
from engine.values.treasury_words import Bucket, LockKind
from tests.holdings_builders import (
    NOW_NS,
    asset,
    book,
    facts,
    halt,
    lock,
    locks,
    obligations,
    owed,
    seen,
)

F = Fraction
RUNG_MAX = 3


# --- every possible plan -----------------------------------------------------------------------


def source(rung, number, **changes):
    known = {
        "name": f"{rung}.{number}",
        "row": f"{rung}",
        "of": f"{number}",
        "rung": rung,
        "asset": f"A{rung}",
        "atoms": 3,
        "least": 0,
        "stock": f"{rung}.{number}",
        "ready_ns": 0,
        "market": "",
        "worst": F(0),
        "fixed": F(1),
        "beside": F(0),
        "mid": F(1),
    }
    return Source(**{**known, **changes})


def random_ladder(dice):
    """Up to three rungs that share books and, for the last, the heap of the first."""
    books = {
        market: sorted(
            (
                Bid(atoms=dice.randint(1, 3), net=F(unit, dice.randint(1, 3)), gross=F(unit))
                for unit in dice.sample(range(1, 8), dice.randint(0, 3))
            ),
            key=lambda bid: -bid.gross,
        )
        for market in "xy"
    }
    books = {market: decreasing(bids) for market, bids in books.items()}
    sources, stocks = [], {}
    for rung in range(1, dice.randint(1, RUNG_MAX) + 1):
        worst = F(dice.choice((0, 2, 4)))
        for number in range(dice.randint(1, 2)):
            atoms = dice.randint(1, 4)
            market = dice.choice(("x", "y", ""))
            is_desk = rung == RUNG_MAX and not market
            one = source(
                rung,
                number,
                atoms=atoms,
                least=dice.choice((0, atoms, max(1, atoms - 1))) if rung > 1 else 0,
                stock="heap" if rung == 1 or is_desk else f"{rung}.{number}",
                ready_ns=dice.choice((0, 0, 0, 9)),
                market=market,
                worst=worst,
                fixed=F(dice.randint(0, 5), 2) if not market else F(0),
                beside=F(dice.choice((0, 0, 1)), 2),
            )
            sources.append(one)
            stocks[one.stock] = stocks.get(one.stock, 0) + (0 if is_desk else atoms)
    stocks["heap"] = stocks.get("heap", 0) + dice.randint(0, 2)
    return Ladder(sources=tuple(sources), books=books, stocks=stocks)


def decreasing(bids):
    """A fee is the same for all levels, so net prices fall as gross prices do."""
    found, ceiling = [], F(100)
    for bid in bids:
        ceiling = min(bid.net, ceiling)
        found.append(Bid(atoms=bid.atoms, net=ceiling, gross=bid.gross))
    return found


def outcome(chosen, state, books):
    """(money, atoms, state afterwards) of giving up so much of each source; None if impossible."""
    walked, stocks = dict(state[0]), dict(state[1])
    money = F(0)
    for one, atoms in chosen:
        stocks[one.stock] -= atoms
        if stocks[one.stock] < 0:
            return None
        money += atoms * (one.beside + (F(0) if one.market else one.fixed))
        for _ in range(atoms if one.market else 0):
            units = [bid for bid in books[one.market] for _ in range(bid.atoms)]
            at = walked[one.market]
            if at < len(units) and units[at].gross >= one.worst:
                money += units[at].net
                walked[one.market] += 1
    return money, sum(atoms for _, atoms in chosen), (walked, stocks)


def ways(sources):
    amounts = [
        [0, *range(one.least or 1, one.atoms + 1)] if one.least != one.atoms else [0, one.atoms]
        for one in sources
    ]
    for given in product(*amounts):
        yield list(zip(sources, given, strict=True))


def by_hand(ladder, shortfall, deadline_ns):
    """(rungs touched, atoms and money of each) by looking at every way to use every rung."""
    state = (dict.fromkeys(ladder.books, 0), dict(ladder.stocks))
    done, missing = [], shortfall
    for rung in range(1, RUNG_MAX + 1):
        if missing <= 0:
            break
        here = [one for one in ladder.sources if one.rung == rung and one.ready_ns <= deadline_ns]
        found = [outcome(way, state, ladder.books) for way in ways(here)]
        found = [one for one in found if one is not None]
        enough = [one for one in found if one[0] >= missing]
        if enough:
            best = min(enough, key=lambda one: (one[1], -one[0]))
        else:
            best = min(found, key=lambda one: (-one[0], one[1]))
        money, atoms, state = best
        if atoms:
            done.append((rung, atoms, money))
        missing -= int(money)
    return done, missing


def told(plan):
    found = {}
    for one in plan.taken:
        atoms, money = found.get(one.source.rung, (0, F(0)))
        found[one.source.rung] = (atoms + one.atoms, money + one.money)
    return [(rung, atoms, money) for rung, (atoms, money) in sorted(found.items())]


@pytest.mark.parametrize("block", range(10))
def test_the_solver_equals_exhaustive_search_on_a_thousand_small_ladders(block):
    dice = random.Random(block)
    climbed = gaps = 0
    for _ in range(100):
        ladder = random_ladder(dice)
        shortfall, deadline_ns = dice.randint(1, 30), dice.choice((0, 5, 9))
        plan = solve(ladder, shortfall, deadline_ns)
        done, missing = by_hand(ladder, shortfall, deadline_ns)
        assert told(plan) == done, ladder
        assert plan.gap == max(0, missing)
        climbed += len(done) > 1
        gaps += plan.gap > 0
    assert climbed > 5, "hardly any ladder was climbed"
    assert 5 < gaps < 95, "all or none were feasible"


def test_too_many_indivisible_sources_are_refused_and_not_guessed():
    many = [source(1, n, least=3, stock="s") for n in range(BLOCKS_MAX + 1)]
    ladder = Ladder(sources=tuple(many), books={}, stocks={"s": 99})
    with pytest.raises(ValueError, match="indivisible"):
        solve(ladder, 5, 0)


# --- on real facts ------------------------------------------------------------------------------

FREE = [Bucket.DISCRETIONARY, Bucket.SURPLUS]


def rung(step, how, asset="BTT", **changes):
    known = {
        "name": f"{how.value} {asset}",
        "share_ppm": 1_000_000,
        "slippage_ppm_max": 999_999,
        "buckets": FREE if how in (How.SPEND, How.SELL, How.OTC) else [],
    }
    if how is How.OTC:
        known |= {"discount_ppm": 200_000, "cash_h": 48, "least": "10", "most": "1000"}
    return RungParams(step=step, how=how, asset=asset, **{**known, **changes})


def shipped(**changes):
    """Stables, then inventory, then part of a pool, then unstaking or over the counter."""
    return EmergencyParams(
        rungs=[
            rung(1, How.SPEND, "USDT", buckets=[Bucket.FLOAT, *FREE]),
            rung(2, How.SELL, slippage_ppm_max=changes.pop("slippage", 300_000)),
            rung(3, How.POOL, share_ppm=500_000, platform="swap", address="T1"),
            rung(4, How.UNSTAKE, platform="stakes", address="T2"),
            rung(4, How.OTC),
        ]
    )


POOL = (
    lock("swap/BTT", 100, 1, kind=LockKind.POOL),
    lock("swap/USDT", 200, 1, kind=LockKind.POOL, asset="USDT"),
)


def world(*more, usdt=100, bids=((2, 50), (1, 1_000))):
    """100 USDT, 400 BTT at one (100 of them float), a pool of 100 BTT and 200 USDT, a stake."""
    return facts(
        seen("one", BTT=400, USDT=usdt),
        book("one", bids=bids, asks=[(3, 100)]),
        book("two", bids=[(2, 1_000)], asks=[(3, 100)]),
        locks(*POOL, lock("stake", 80, 7), *more),
    )


def climbed(found, shortfall, hours=24, params=None):
    ladder = ladder_of(found, params or shipped())
    return solve(ladder, shortfall, NOW_NS + hours * NS_PER_H)


def pictured(found, plan):
    return picture(found, plan, shipped(), ladder_of(found, shipped()))


def rows(plan):
    return [(one.source.name, one.atoms, int(one.money)) for one in plan.taken]


def test_stables_come_first_and_nothing_else_is_touched_when_they_suffice():
    assert rows(climbed(world(), 60)) == [("spend USDT: one", 60, 60)]


def test_then_inventory_down_the_book_as_far_as_it_may_slip():
    # mid is 5/2: bids at 2 slip 20 %, those at 1 slip 60 % and are left alone.
    assert rows(climbed(world(), 150)) == [
        ("spend USDT: one", 100, 100),
        ("sell BTT: one", 25, 50),
    ]


def test_then_part_of_the_pool_with_both_of_its_sides():
    plan = climbed(world(), 300)
    assert rows(plan)[-1] == ("take from pool BTT: swap/BTT", 25, 100)
    assert plan.gap == 0


def test_both_sides_of_what_leaves_a_pool_leave_their_buckets():
    found = world()
    plan = climbed(found, 300)
    kept = {(one.asset, one.bucket): one.atoms for one in pictured(found, plan).untouched}
    # 100 USDT spent, 25 of the pool's 100 BTT taken, and with them 50 of its 200 USDT.
    assert sum(atoms for (name, _), atoms in kept.items() if name == "USDT") == 150
    assert sum(atoms for (name, _), atoms in kept.items() if name == "BTT") == 580 - 50 - 25


def test_the_money_of_a_pool_that_an_obligation_waits_for_does_not_count():
    due = obligations(owed("a", 30, 300, asset="USDT"))
    told_facts = (
        seen("one", BTT=400, USDT=100),
        book("one", bids=[(2, 50)], asks=[(3, 100)]),
        locks(*POOL),
    )
    free, waited = (climbed(facts(*told_facts, *more), 10_000) for more in ((), (due,)))
    assert free.raised - waited.raised == 100 + 100, "the free money, and half of the pool's"


def test_what_is_not_cash_by_the_deadline_is_no_help():
    soon = climbed(world(), 450, hours=24)
    later = climbed(world(), 450, hours=24 * 8)
    assert soon.gap == 50
    assert {one.name for one in soon.late} == {"unstake BTT: stake", "over the counter BTT"}
    assert soon.possible_ns == NOW_NS + 48 * NS_PER_H
    assert later.gap == 0


def test_a_stake_comes_back_whole_or_not_at_all():
    only = EmergencyParams(rungs=[rung(1, How.UNSTAKE)])
    assert rows(climbed(world(), 1, hours=24 * 8, params=only)) == [("unstake BTT: stake", 80, 160)]


def test_what_cannot_be_done_is_said_with_the_gap():
    plan = climbed(world(usdt=0), 10_000, hours=24 * 30)
    assert plan.gap == 10_000 - plan.raised > 0
    assert plan.possible_ns is None


def test_what_is_reserved_for_obligations_stays_untouched():
    found = facts(
        seen("one", BTT=200, USDT=100),
        book("one", bids=[(2, 1_000)], asks=[(3, 9)]),
        obligations(owed("a", 3, 150), owed("b", 3, 90, asset="USDT")),
    )
    plan = climbed(found, 100)
    assert rows(plan) == [("spend USDT: one", 10, 10)]
    kept = {(one.asset, one.bucket): one.atoms for one in pictured(found, plan).untouched}
    assert kept["BTT", Bucket.RESERVED] == 150
    assert kept["USDT", Bucket.RESERVED] == 90


def test_a_halted_venue_gives_nothing_until_it_is_back():
    plan = climbed(world(halt("one", 3)), 60)
    assert all("one" not in name for name, _, _ in rows(plan))
    assert "spend USDT: one" not in {one.name for one in plan.late}


def test_without_a_price_nothing_can_be_sold():
    found = facts(seen("one", BTT=400, USDT=0), locks(*POOL[:1]))
    assert climbed(found, 10).raised == 0


def test_the_haircut_makes_a_plan_sell_more_and_says_no_other_slippage():
    careful = {"assets": {"BTT": asset("BTT", haircut_ppm=500_000)}}
    told_facts = (
        seen("one", BTT=400, USDT=0),
        book("one", bids=[(2, 900)], asks=[(3, 9)]),
    )
    plain, cut = climbed(facts(*told_facts), 40), climbed(facts(*told_facts, **careful), 40)
    assert (plain.taken[0].atoms, cut.taken[0].atoms) == (20, 40)
    assert pictured(facts(*told_facts), plain).steps[0].slippage_ppm == 200_000
    assert pictured(facts(*told_facts, **careful), cut).steps[0].slippage_ppm == 200_000


def test_a_stake_that_an_obligation_waits_for_is_on_no_rung():
    found = facts(
        seen("one", USDT=1),
        book("two", bids=[(2, 1_000)], asks=[(3, 9)]),
        locks(lock("stake", 80, 1)),
        obligations(owed("a", 30, 60)),
    )
    plan = climbed(found, 1_000, hours=24 * 8)
    assert rows(plan)[-1] == ("unstake BTT: stake", 20, 40)
    assert plan.gap > 0


def test_a_plan_becomes_requests_in_the_words_of_actions_and_never_an_order():
    found = world()
    plan = climbed(found, 950, hours=24 * 8)
    wanted = actions_of(found, plan, shipped())
    assert [type(one) for one in wanted] == [EmergencySale, TakeFromPool, Unstake, EmergencySale]
    sale = wanted[0]
    assert (sale.sell.atoms, sale.least.atoms, sale.venues) == (50, 100, ["one"])
    assert sale.until_ns == NOW_NS + 8 * NS_PER_DAY


@pytest.mark.parametrize(
    ("rungs", "fault"),
    [
        ([rung(1, How.SELL), rung(1, How.SPEND, "USDT")], "share a step"),
        ([rung(1, How.SELL), rung(2, How.SELL, name="again")], "same bucket"),
        ([rung(2, How.SELL), rung(1, How.OTC)], "out of order"),
        ([rung(1, How.SELL), rung(2, How.UNSTAKE, name="sell BTT")], "twice"),
    ],
)
def test_rungs_that_contradict_each_other_are_refused(rungs, fault):
    with pytest.raises(ValueError, match=fault):
        EmergencyParams(rungs=rungs)


@pytest.mark.parametrize(
    "changes",
    [
        {"how": How.SELL, "buckets": [Bucket.RESERVED]},
        {"how": How.SELL, "buckets": []},
        {"how": How.SELL, "share_ppm": 0},
        {"how": How.OTC, "least": None},
        {"how": How.UNSTAKE, "cash_h": 3},
        {"how": How.OTC, "discount_ppm": 1_000_000},
    ],
)
def test_a_rung_that_makes_no_sense_is_refused(changes):
    with pytest.raises(ValueError, match=r"buckets|share_ppm|all four|discount_ppm"):
        rung(1, **changes)
