"""Killed between any two records, an action of the treasury is done at most once and never lost."""

import msgspec
import pytest

from engine.treasury.proposals import Status
from engine.values.action_records import Executed
from engine.values.action_words import Scope, StopActions, WidenLimit
from engine.values.execution_records import ChildSent, ParentMoved, ParentState
from engine.values.records import OrderIntent
from engine.values.treasury_words import FloatSet, LimitRow, LimitsSet, LimitWidened, Measure
from tests.action_builders import ROSTER
from tests.hedge_world import TOKEN
from tests.treasury_world import (
    TARGET,
    UNIT,
    M,
    TreasuryWorld,
    only,
    over,
    sale,
    signed_by_two,
    status,
    word,
)


def killed_at(count: int, *, leaves: bool = True) -> TreasuryWorld:
    """The world of `over`, killed when the journal holds so many records."""
    world = over(leaves=leaves)
    world.deadly = count
    world.live(150)
    return world


def calm_run() -> tuple[int, int, list[int]]:
    """How many records there are before the check and at the end; behind which intents stand."""
    world = over()
    before = len(world.records)
    world.run(100)
    last = max(n for n, record in enumerate(world.records) if isinstance(record, Executed))
    intents = [n + 1 for n, record in enumerate(world.records) if isinstance(record, OrderIntent)]
    return before, last + 1, [count for count in intents if count > before]


BEFORE, LAST, INTENTS = calm_run()


@pytest.mark.parametrize("count", range(BEFORE, LAST + 1))
def test_a_crash_between_any_two_records_sells_at_most_once_and_loses_nothing(count):
    check(killed_at(count))


@pytest.mark.parametrize("count", INTENTS)
def test_an_order_whose_intent_is_all_that_there_is_of_it_is_sold_by_another(count):
    world = killed_at(count, leaves=False)
    check(world)
    assert only(world).status is Status.DONE


def check(world: TreasuryWorld) -> None:
    assert world.epoch == 2, "it died and came back"
    assert len(world.begun) == len(set(world.begun)) <= 1
    assert len(world.executing) == 1, "asked for by one of the two"
    proposal = only(world)
    assert proposal.status in (Status.DONE, Status.FAILED), proposal
    assert proposal.has_moved == bool(world.begun)
    if proposal.status is Status.DONE:
        assert world.gone == 0
        assert world.of(FloatSet)[-1].atoms == TARGET * UNIT
        assert sum("rebalanced" in record.reason for record in world.of(FloatSet)) == 1
    else:
        assert world.gone == -6 * M, "nothing was sold, and people are told"
        assert any("ask anew" in alert for alert in world.alerts)


def test_a_crash_again_and_again_still_sells_at_most_once():
    world = over()
    for _ in range(12):
        world.deadly = len(world.records) + 5
        world.live(20)
    world.live(150)
    assert len(world.begun) <= 1
    assert only(world).status in (Status.DONE, Status.FAILED)
    assert world.gone >= -6 * M
    assert world.gone <= 0


def test_a_switch_whose_end_was_not_kept_is_on_after_the_crash():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    world.feed(word(world, "p1", StopActions(scope=Scope.ALL, name="")))
    world.deadly = len(world.records) + 1  # Executing, and no more
    world.live(5)
    assert world.epoch == 2
    assert status(world, "p1") is Status.DONE
    assert world.work.conversions.desk.switches.on


def test_a_restart_finds_the_parent_and_its_state_as_they_were():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    world.run(4)
    signed_by_two(world, "p1", sale(world, 16 * M))
    while len(world.of(ChildSent)) < 2:
        world.turn()
    world.run(1)
    (before,) = world.parents.values()
    world.start()
    (after,) = world.parents.values()
    assert (after.state, after.done_atoms) == (before.state, before.done_atoms)
    world.run(200)
    assert (world.gone, status(world, "p1")) == (16 * M, Status.DONE)
    assert len([move for move in world.of(ParentMoved) if move.after is ParentState.DONE]) == 1


def turnover(tokens: int) -> LimitRow:
    return LimitRow(
        name="turnover", measure=Measure.TURNOVER, asset="BTT", tokens=str(tokens), money="99999"
    )


@pytest.mark.parametrize(("kept", "is_wider"), [(1, False), (2, True)])
def test_a_crash_within_a_widening_leaves_the_limit_and_its_record_in_agreement(kept, is_wider):
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    for tokens in (10 * M, 30 * M):
        rows = [turnover(tokens)]
        world.feed(LimitsSet(at_ns=world.now, who="file", name="t", digest="", rows=rows))
    was, becomes = (msgspec.json.encode(turnover(n * M)).decode() for n in (10, 30))
    signed_by_two(world, "p1", WidenLimit(limit="turnover", was=was, becomes=becomes))
    world.deadly = len(world.records) + kept  # Executing, LimitWidened, what follows
    world.live(5)
    assert world.epoch == 2
    assert status(world, "p1") is (Status.DONE if is_wider else Status.FAILED)
    rows = world.work.steward.treasury.limits.rows
    assert rows == [turnover(30 * M if is_wider else 10 * M)]
    assert len(world.of(LimitWidened)) == is_wider
