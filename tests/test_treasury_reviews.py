"""Reviews of a price, and the float of a rebalance, through the whole engine."""

import msgspec
import pytest

from engine.trading.action_widen import due_reviews
from engine.treasury.proposals import Status
from engine.treasury.treasury import Treasury
from engine.values.action_words import WidenLimit
from engine.values.treasury_words import LimitRow, LimitsSet, Measure, PriceReviewed
from tests.action_builders import ROSTER
from tests.hedge_world import TOKEN
from tests.treasury_world import M, TreasuryWorld, only, over, signed_by_two, status


def turnover(tokens: int) -> LimitRow:
    return LimitRow(
        name="turnover", measure=Measure.TURNOVER, asset="BTT", tokens=str(tokens), money="99999"
    )


def told(world: TreasuryWorld, row: LimitRow) -> None:
    world.feed(LimitsSet(at_ns=world.now, who="file", name="t.toml", digest="", rows=[row]))


def treasury(world: TreasuryWorld) -> Treasury:
    return world.work.steward.treasury


# --- the price of a review ------------------------------------------------------------------------


def doubled() -> TreasuryWorld:
    """A limit in tokens and money, and a price that doubled after it was made."""
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    told(world, turnover(10 * M))
    world.run(2)
    world.books[TOKEN] = (2 * 6_299 + 10, 2 * 6_301 + 10)
    world.run(3)
    return world


def review(world: TreasuryWorld) -> WidenLimit:
    [action] = due_reviews(treasury(world))
    return action


def reference(world: TreasuryWorld) -> float:
    price = treasury(world).limits.references["BTT"]
    return price.money_atoms / price.base_atoms


def test_a_doubled_price_counts_for_the_limits_once_two_people_reviewed_it():
    world = doubled()
    before = reference(world)
    signed_by_two(world, "p1", review(world))
    world.run(2)
    assert status(world, "p1") is Status.DONE
    assert reference(world) == pytest.approx(2 * before, rel=0.01)
    assert world.of(PriceReviewed)[-1].action == world.desk.proposals["p1"].digest
    assert treasury(world).limits.reviews == {}
    world.start()
    assert reference(world) == pytest.approx(2 * before, rel=0.01)


def test_a_price_that_fell_since_people_signed_counts_as_it_is():
    world = doubled()
    before, action = reference(world), review(world)
    world.books[TOKEN] = (9_449, 9_451)
    world.run(2)
    signed_by_two(world, "p1", action)
    world.run(2)
    assert reference(world) == pytest.approx(1.5 * before, rel=0.01)


def test_a_review_that_is_not_due_or_of_another_price_changes_nothing():
    world = doubled()
    action, before = review(world), reference(world)
    wrong = msgspec.structs.replace(action, was="1/2")
    signed_by_two(world, "p1", wrong)
    signed_by_two(world, "p2", msgspec.structs.replace(action, limit="price of BTC"))
    signed_by_two(world, "p3", msgspec.structs.replace(action, becomes="much"))
    world.run(2)
    assert [status(world, name) for name in ("p1", "p2", "p3")] == [Status.FAILED] * 3
    assert reference(world) == before


def test_a_price_that_halves_moves_the_limits_at_once_and_nobody_is_asked():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    told(world, turnover(10 * M))
    world.run(2)
    before = reference(world)
    world.books[TOKEN] = (3_139, 3_141)
    world.run(3)
    assert reference(world) == pytest.approx(before / 2, rel=0.01)
    assert world.of(PriceReviewed)[-1].action == ""


@pytest.mark.parametrize(("kept", "is_so"), [(1, False), (2, True)])
def test_a_crash_within_a_review_leaves_the_price_and_the_actions_end_in_agreement(kept, is_so):
    world = doubled()
    before = reference(world)
    signed_by_two(world, "p1", review(world))
    world.deadly = len(world.records) + kept  # Executing, PriceReviewed, what follows
    world.live(5)
    assert world.epoch == 2
    assert status(world, "p1") is (Status.DONE if is_so else Status.FAILED)
    assert (reference(world) > before) is is_so


def test_what_a_rebalance_brings_is_of_the_reserves_and_not_of_the_float():
    world = over()
    world.run(2)
    before = {asset: working(world, asset) for asset in ("BTT", "USDT")}
    world.run(200)
    children = [one for parent in world.parents.values() for one in parent.children.values()]
    assert before["BTT"] - working(world, "BTT") == sum(child.atoms for child in children) > 0
    assert working(world, "USDT") == before["USDT"]
    assert only(world).status is Status.DONE


def working(world: TreasuryWorld, asset: str) -> int:
    """What the market maker has of it."""
    return treasury(world).holdings.facts().working["loopback", asset]
