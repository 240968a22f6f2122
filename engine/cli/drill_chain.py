"""Drills whose fault is on the chain: a silent custodian, full blocks, or none."""

import asyncio

from engine.cli.drill_log import DrillLog
from engine.cli.drill_money import facts_of, halt, headline, plan_line, plan_of, report_of
from engine.cli.drill_venue import PLAN_H, ended, judged
from engine.cli.drill_world import CHAIN_EXPIRES_NS, CHAIN_SPEED, RESERVE, DrillWorld
from engine.treasury.proposals import Proposal, Status
from engine.values.action_words import Coins, Override, Scope, StopActions, Transfer, Trigger
from engine.values.errors import VenueError
from engine.values.units import NS_PER_S, Atoms

HALT_H = 72
TOKENS = 1_000_000
CONGESTED = 100_000
LONG_S = 2.0
"""Two minutes on the chain's clock."""


async def custody(world: DrillWorld, log: DrillLog, missing: Atoms) -> None:
    last, before = await world.node.balances(), world.chain.gone.copy()
    report = report_of(world, facts_of(world, last))
    transfer = _transfer(world)
    price_desk(world, last)
    async with log.step("notice"):
        seen_ns = world.live.clock.now_ns()
        world.node.is_silent = True
        log.check(not await _answers(world), f"{world.wallet} does not answer")
        log.check(True, f"the engine goes on: {world.state}")
    async with log.step("in doubt"):
        proposal = await world.desk.allow(transfer, "drill: a transfer under way")
        log.check(*judged(proposal, Status.UNKNOWN))
        for _ in range(3):
            await world.desk.driver.carry_out()
        log.check(*judged(_again(world, proposal), Status.UNKNOWN))
    async with log.step("count"):
        facts = facts_of(world, last, [halt(world.wallet, HALT_H)])
        after = report_of(world, facts)
        is_less = after.liquid.money_atoms <= report.liquid.money_atoms
        log.check(is_less, f"before: {headline(world, report)}")
        log.check(is_less, f"without {world.wallet}: {headline(world, after)}")
    async with log.step("ladder"):
        plan = plan_of(world, facts, missing, PLAN_H)
        used = [one for one in plan.taken if one.source.of == world.wallet]
        log.check(not used, plan_line(world, plan))
    async with log.step("act"):
        stop = StopActions(scope=Scope.VENUE, name=world.wallet)
        action = Override(
            trigger=Trigger.WITHDRAWAL_HALT, seen_ns=seen_ns, target=world.wallet, does=stop
        )
        log.check(*judged(await world.desk.allow(action, "drill: custody"), Status.DONE))
        log.check(not world.maker.standing.halted, f"the market is not touched: {world.state}")
    async with log.step("roll back"):
        world.node.is_silent = False
        await ended(world, log, proposal)
        _moved_once(world, log, transfer, before)


async def chain_congestion(world: DrillWorld, log: DrillLog, missing: Atoms) -> None:
    last, before = await world.node.balances(), world.chain.gone.copy()
    transfer = _transfer(world)
    price_desk(world, last)
    async with log.step("notice"):
        world.chain.congestion = CONGESTED
        proposal = await world.desk.allow(transfer, "drill: a transfer in full blocks")
        await asyncio.sleep(LONG_S)
        await world.desk.driver.carry_out()
        chain_s = LONG_S * CHAIN_SPEED
        ok, found = judged(_again(world, proposal), Status.UNKNOWN)
        log.check(ok, f"{found}, after {chain_s:.0f} s of the chain's clock")
        log.check(True, f"the engine goes on: {world.state}")
    async with log.step("ladder"):
        facts = facts_of(world, last, [halt(world.wallet, HALT_H)])
        plan = plan_of(world, facts, missing, PLAN_H)
        used = [one for one in plan.taken if one.source.of == world.wallet]
        log.check(not used, plan_line(world, plan))
        log.check(True, f"too late: {', '.join(one.name for one in plan.late) or 'nothing'}")
    async with log.step("expire"):
        expires_s = CHAIN_EXPIRES_NS / NS_PER_S / CHAIN_SPEED
        await asyncio.sleep(max(0.0, expires_s - LONG_S) + 0.1)
        await world.desk.driver.carry_out()
        log.check(*judged(_again(world, proposal), Status.FAILED))
        log.check(world.chain.gone == before, "nothing moved")
    async with log.step("upgrade"):
        world.chain.congestion, world.chain.halted = 1, True
        second = await world.desk.allow(transfer, "drill: asked anew, by a new name")
        await asyncio.sleep(LONG_S / 2)
        await world.desk.driver.carry_out()
        log.check(*judged(_again(world, second), Status.UNKNOWN))
    async with log.step("roll back"):
        world.chain.halted = False
        await ended(world, log, second)
        _moved_once(world, log, transfer, before)


def price_desk(world: DrillWorld, wallet: list[Coins]) -> None:
    """The policy values what is asked at the price of the moment."""
    price = facts_of(world, wallet).price(world.files.treasury.liquid.token)
    if price is not None:
        world.desk.driver.desk.price(price)


def _transfer(world: DrillWorld) -> Transfer:
    file = world.files.treasury
    exponent = {row.name: row.exponent for row in file.assets}.get(file.liquid.token, 0)
    coins = Coins(asset=file.liquid.token, atoms=TOKENS * 10**exponent, exponent=exponent)
    return Transfer(
        coins=coins,
        from_place=world.wallet,
        to_place=RESERVE.place,
        network=RESERVE.network,
        address=RESERVE.address,
        memo=RESERVE.memo,
    )


async def _answers(world: DrillWorld) -> bool:
    try:
        await world.node.balances()
    except VenueError:
        return False
    return True


def _again(world: DrillWorld, proposal: Proposal | str) -> Proposal | str:
    """The same proposal as it stands now."""
    if isinstance(proposal, str):
        return proposal
    return world.desk.driver.desk.proposals[proposal.name]


def _moved_once(
    world: DrillWorld, log: DrillLog, transfer: Transfer, before: dict[tuple[str, str], Atoms]
) -> None:
    key = (RESERVE.address, transfer.coins.asset)
    moved = world.chain.gone.get(key, 0) - before.get(key, 0)
    log.check(moved == transfer.coins.atoms, f"{moved} of {transfer.coins.atoms} atoms moved, once")
