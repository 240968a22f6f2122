"""The treasury of a drill at one moment: facts of the engine, the chain and the files together."""

from collections.abc import Sequence

import msgspec

from engine.cli.drill_world import DrillWorld
from engine.cli.treasury_world import row_facts
from engine.runtime.treasury_facts import scheme_of, told
from engine.treasury.dates import NS_PER_H, day_text
from engine.treasury.facts import Facts
from engine.treasury.holdings import Holdings
from engine.treasury.ladder import Plan, solve
from engine.treasury.ladder_sources import ladder_of
from engine.treasury.liquid import Report, report
from engine.values.action_words import Coins
from engine.values.treasury_words import Holding, HoldingsSeen, Lock, LockKind, LockSet
from engine.values.units import Atoms, decimal_text


def halt(place: str, hours: int) -> Lock:
    """A place that answers nothing: what is there counts again after so many hours."""
    return lock(
        f"halt of {place}", LockKind.HALTED, place, Coins(asset="", atoms=0, exponent=0), hours
    )


def lock(name: str, kind: LockKind, place: str, coins: Coins, hours: int) -> Lock:
    return Lock(
        name=name,
        kind=kind,
        place=place,
        asset=coins.asset,
        atoms=coins.atoms,
        unwind_ns=hours * NS_PER_H,
        until_ns=0,
    )


def facts_of(world: DrillWorld, wallet: Sequence[Coins], more: Sequence[Lock] = ()) -> Facts:
    """`wallet` is what the chain said last; `more` are locks of the moment."""
    file = world.files.treasury
    holdings = Holdings(scheme_of(file))
    for words in row_facts(file, 0):
        if isinstance(words, LockSet):
            words = msgspec.structs.replace(words, rows=[*words.rows, *more])
            more = ()
        holdings.learn(words)
    if more:
        holdings.learn(LockSet(at_ns=0, who="drill", name="drill", digest="", rows=list(more)))
    rows = [Holding(asset=coins.asset, atoms=coins.atoms) for coins in wallet]
    holdings.learn(HoldingsSeen(at_ns=0, who="chain", place=world.wallet, holdings=rows))
    for _ in told(holdings, world.account(), "the engine"):
        pass
    return holdings.facts()


def report_of(world: DrillWorld, facts: Facts) -> Report:
    return report(facts, world.files.treasury.liquid)


def headline(world: DrillWorld, found: Report) -> str:
    """One line for people: what is liquid, and the first date that is not covered."""
    money = world.files.treasury.money
    figure = decimal_text(found.liquid.money_atoms, money.exponent)
    first = "every date is covered" if found.uncovered is None else (
        f"first date not covered: {day_text(found.uncovered)}"
    )  # fmt: skip
    return f"liquid {figure} {money.name}; {first}"


def plan_of(world: DrillWorld, facts: Facts, missing: Atoms, hours: int) -> Plan:
    params = world.files.treasury.emergency
    assert params is not None, "the verb has looked"
    return solve(ladder_of(facts, params), missing, facts.at_ns + hours * NS_PER_H)


def plan_line(world: DrillWorld, plan: Plan) -> str:
    money = world.files.treasury.money
    figures = [decimal_text(one, money.exponent) for one in (plan.shortfall, plan.raised, plan.gap)]
    steps = ", ".join(one.source.name for one in plan.taken) or "nothing"
    return f"for {figures[0]} {money.name}: {steps} bring {figures[1]}, gap {figures[2]}"
