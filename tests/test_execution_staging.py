"""From what people signed to a plan."""

import pytest

from engine.treasury.limit_measures import Both, Finding
from engine.treasury.planning import NoPlan
from engine.treasury.post_trade import Lessons
from engine.treasury.score import Score
from engine.treasury.staging import Staged, staged_plan, switched, turnover_left
from engine.treasury.switches import Switches
from engine.values.action_words import Coins, Convert, EmergencySale, Scope, StopActions
from engine.values.treasury_words import Measure
from engine.values.units import BUY, SELL
from tests.execution_builders import estimate_params, params
from tests.holdings_builders import NOW_NS, book, facts, seen

SCORE = Score(asset="BTT", score=60.0, parts=(), venues=("one",), age_ns=0)
DIGEST = "ab" * 32
BOOK = book("one", bids=((100, 1_000), (99, 9_000)), asks=((102, 1_000), (103, 9_000)))


def coins(asset, atoms, exponent=0):
    return Coins(asset=asset, atoms=atoms, exponent=exponent)


def convert(sell=None, least=None, venues=("one",)):
    return Convert(
        sell=sell or coins("BTT", 4_000), least=least or coins("USDT", 4_000 * 97),
        venues=list(venues), until_ns=NOW_NS + 10**15,
    )  # fmt: skip


def staged(action=None, **changes):
    known = facts(seen("one", BTT=10_000, USDT=900_000), BOOK)
    fields = {
        "digest": DIGEST, "action": action or convert(), "facts": known, "score": SCORE,
        "volatility": 0,
    }  # fmt: skip
    return Staged(**(fields | changes))


def planned(action=None, **changes):
    return staged_plan(staged(action, **changes), Lessons(estimate_params()), params())


def test_a_signed_conversion_becomes_a_plan_that_names_its_bytes():
    found = planned()
    assert (found.proposal, found.parent, found.side) == (DIGEST, DIGEST[:16], SELL)
    assert (found.asset, found.atoms, found.markets) == ("BTT", 4_000, ("BTT/USDT@one",))
    assert found.children > 1


def test_the_limit_is_never_worse_than_what_was_signed():
    assert planned(convert(least=coins("USDT", 4_000 * 100))).limit == (4_000 * 100, 4_000)
    money, base = planned(convert(least=coins("USDT", 4_000 * 50))).limit
    assert money > 50 * base


def test_money_for_a_token_is_a_purchase():
    found = planned(convert(coins("USDT", 4_000 * 105), coins("BTT", 4_000)))
    assert (found.side, found.atoms) == (BUY, 4_000)
    money, base = found.limit
    assert 101 * base < money <= 105 * base


def test_an_emergency_sale_is_staged_like_any_other():
    action = EmergencySale(
        shortfall=coins("USDT", 100), sell=coins("BTT", 4_000), least=coins("USDT", 1),
        venues=["one"], until_ns=NOW_NS + 10**15,
    )  # fmt: skip
    assert planned(action).children > 1


@pytest.mark.parametrize(
    ("action", "changes", "why"),
    [
        (convert(coins("BTT", 9), coins("TRX", 9)), {}, "one of the two must be USDT"),
        (convert(coins("BTT", 9, 8)), {}, "another exponent"),
        (convert(least=coins("USDT", 9, 8)), {}, "another exponent"),
        (convert(coins("XYZ", 9)), {}, "no asset of this treasury"),
        (convert(venues=("two",)), {}, "no allowed venue"),
        (None, {"score": None}, "no current liquidity score"),
        (None, {"volatility": None}, "volatility of BTT is not known"),
    ],
)
def test_what_cannot_be_planned_is_said(action, changes, why):
    with pytest.raises(NoPlan, match=why):
        planned(action, **changes)


def test_an_approved_kill_switch_turns_on():
    switches = Switches()
    stop = StopActions(scope=Scope.ASSET, name="BTT")
    switches.remember(switched(stop, "ann", 5, "depeg"))
    assert "by ann: depeg" in switches.stops(planned())


def finding(room, asset="BTT"):
    both = Both(room, None)
    return Finding(
        limit="turnover", measure=Measure.TURNOVER, asset=asset, subject="", is_floor=False,
        value=both, ceiling=both, room=both, is_breached=False, why="",
    )  # fmt: skip


@pytest.mark.parametrize(("rooms", "left"), [([], 10_000), ([700, 300], 300), ([None], 0)])
def test_turnover_that_is_left_is_the_least_of_its_rows_and_unknown_is_none(rooms, left):
    found = turnover_left([finding(room) for room in rooms], staged().facts)
    assert found["BTT"] == left
