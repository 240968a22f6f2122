"""Drills whose fault is at the venue: it is silent, a key is stolen, or it settles late."""

import hashlib
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode

import aiohttp

from adapters.loopback.keys import KeyPair
from adapters.loopback.signing import Signer
from engine.cli.drill_log import DrillLog, NotHappened
from engine.cli.drill_money import (
    facts_of,
    halt,
    headline,
    lock,
    plan_line,
    plan_of,
    report_of,
)
from engine.cli.drill_world import ACCOUNT, RESERVE, SYMBOL, DrillWorld
from engine.treasury.proposals import Proposal, Status
from engine.values.action_words import Coins, Override, Scope, StopActions, Transfer, Trigger
from engine.values.chain_words import ChainOrder
from engine.values.errors import Rejected
from engine.values.events import RatingLabel
from engine.values.treasury_words import LockKind
from engine.values.units import Atoms

HALT_H = 24
PLAN_H = 24
DELAY_H = 96
STOLEN_LOTS = 2_000_000
THIEF = "thief-of-the-drill"
STIRS, STIR_S = 4, 2.5


# --- the exchange is down -----------------------------------------------------------------------


async def exchange_down(world: DrillWorld, log: DrillLog, missing: Atoms) -> None:
    wallet, venue = await world.node.balances(), venue_of(world)
    before = report_of(world, facts_of(world, wallet))
    async with log.step("notice"):
        seen_ns = world.live.clock.now_ns()
        world.venue.faults.inject("F10")
        took_s = await log.until(world.is_blind, "the doubt")
        log.check(took_s < 10, f"the engine knew after {took_s:.2f} s")
        await log.until(lambda: not world.quotes_both_sides(), "the end of quoting")
        log.check(True, f"{world.state}: {world.reason}")
    async with log.step("count"):
        theirs = len(world.truth().open_orders)
        ours = len(world.maker.keeper.orders.live(world.maker.market))
        log.check(ours >= theirs, f"{theirs} orders stand in the frozen book, {ours} count here")
        facts = facts_of(world, wallet, [halt(venue, HALT_H)])
        after = report_of(world, facts)
        is_less = after.liquid.money_atoms <= before.liquid.money_atoms
        log.check(is_less, f"before: {headline(world, before)}")
        log.check(is_less, f"without {venue}: {headline(world, after)}")
    async with log.step("ladder"):
        plan = plan_of(world, facts, missing, PLAN_H)
        touched = [
            one
            for one in plan.taken
            if venue in (one.source.of, one.source.market.partition("@")[2])
        ]
        log.check(not touched, plan_line(world, plan))
    async with log.step("act"):
        action = _stop(Trigger.EXCHANGE_OUTAGE, seen_ns, venue)
        proposal = await world.desk.allow(action, "drill: the venue is silent")
        log.check(*judged(proposal, Status.DONE))
        log.check(bool(world.maker.standing.halted), f"halted: {world.maker.standing.halted}")
    async with log.step("roll back"):
        world.venue.faults.heal("F10")
        await log.until(lambda: not world.is_blind(), "sight of the venue")
        await log.until(lambda: not world.truth().open_orders, "the last cancel")
        await quoting_again(world, log, "drill: the venue is back")
    async with log.step("evidence"):
        left = ["the proposal"]
        if isinstance(proposal, Proposal):
            log.check(True, f"asked for: {', '.join(proposal.missing)}")
            left = await world.desk.prove(proposal)
        log.check(not left, f"still missing: {', '.join(left) or 'nothing'}")


# --- a stolen key -------------------------------------------------------------------------------


async def wallet_compromise(world: DrillWorld, log: DrillLog, missing: Atoms) -> None:
    asset = world.files.treasury.liquid.token
    facts = facts_of(world, await world.node.balances())
    if (price := facts.price(asset)) is not None:
        world.desk.driver.desk.price(price)
    async with log.step("notice"):
        seen_ns = world.live.clock.now_ns()
        stolen = _share(world, asset, 10)
        world.chain.send(_theft("theft-1", world, stolen), world.chain_ns())
        status, answer = await _sold_by_thief(world)
        log.check(status == 200, f"the thief sells {STOLEN_LOTS} {asset}: {answer[:80]}")
        took_s = await log.until(lambda: world.maker.standing.frozen, "the freeze")
        log.check(True, f"after {took_s:.2f} s: {world.maker.standing.frozen}")
    async with log.step("stop"):
        action = StopActions(scope=Scope.ALL, name="")
        proposal = await world.desk.allow(action, "drill: a key is stolen")
        log.check(*judged(proposal, Status.DONE))
        await log.until(lambda: not world.truth().open_orders, "the last cancel")
        log.check(True, "nothing of ours is in the book")
    async with log.step("revoke"):
        keys = [key for key in world.venue.exchange.config.keys if key != world.stolen.key]
        world.venue.api.signer = Signer(keys)
        status, answer = await _sold_by_thief(world)
        log.check(status != 200, f"the thief again: {status} {answer[:80]}")
    async with log.step("move"):
        await log.until(lambda: world.chain.gone or _passed(world), "the first theft")
        await _move_the_rest(world, log, asset, seen_ns)
    async with log.step("count"):
        after = report_of(world, facts_of(world, await world.node.balances()))
        log.check(
            True, f"{headline(world, after)} (the reserve wallet is no place of the file yet)"
        )
    async with log.step("roll back"):
        await quoting_again(world, log, "drill: the strange fills are a loss")


async def _move_the_rest(world: DrillWorld, log: DrillLog, asset: str, seen_ns: int) -> None:
    """By the override where it reaches so far, else by the ordinary rows. Then beat the thief."""
    rest = _share(world, asset, 1)
    transfer = Transfer(
        coins=rest,
        from_place=world.wallet,
        to_place=RESERVE.place,
        network=RESERVE.network,
        address=RESERVE.address,
        memo=RESERVE.memo,
    )
    override = Override(
        trigger=Trigger.WALLET_COMPROMISE, seen_ns=seen_ns, target=world.wallet, does=transfer
    )
    proposal = await world.desk.allow(override, "drill: the wallet is in other hands")
    if isinstance(proposal, str):
        log.check(True, f"the override is too small for it ({proposal}): the ordinary way")
        proposal = await world.desk.allow(transfer, "drill: the wallet is in other hands")
    await ended(world, log, proposal)
    moved = world.chain.gone.get((RESERVE.address, asset), 0)
    log.check(moved == rest.atoms, f"{moved} of {rest.atoms} atoms are at the {RESERVE.place}")
    try:
        world.chain.send(_theft("theft-2", world, rest), world.chain_ns())
        log.check(False, "the thief's next transfer was taken")
    except Rejected as error:
        log.check(True, f"the thief's next transfer: {error.text}")


def _passed(world: DrillWorld) -> bool:
    return world.chain.receipt("theft-1", world.chain_ns()) is None


def _share(world: DrillWorld, asset: str, part: int) -> Coins:
    coins = {one.asset: one for one in world.chain.balances(world.chain_ns())}[asset]
    return Coins(asset=asset, atoms=max(1, coins.atoms // part), exponent=coins.exponent)


def _theft(reference: str, world: DrillWorld, coins: Coins) -> ChainOrder:
    action = Transfer(
        coins=coins, from_place=world.wallet, to_place="-", network="-", address=THIEF, memo=""
    )
    expires_ns = world.chain_ns() + 10**12
    return ChainOrder(reference=reference, action=action, expires_ns=expires_ns)


async def _sold_by_thief(world: DrillWorld) -> tuple[int, str]:
    """(status, body) of a market order that is signed with the stolen key."""
    pair: KeyPair = world.stolen
    query = urlencode(
        {
            "symbol": SYMBOL,
            "side": "SELL",
            "type": "MARKET",
            "quantity": STOLEN_LOTS,
            "timestamp": time.time_ns() // 1_000_000,
        }
    )
    signature = hmac.new(pair.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"http://127.0.0.1:{world.venue.port}/api/v3/order?{query}&signature={signature}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers={"X-MBX-APIKEY": pair.key.api_key}) as response,
    ):
        return response.status, await response.text()


# --- it settles late ----------------------------------------------------------------------------


async def delayed_settlement(world: DrillWorld, log: DrillLog, missing: Atoms) -> None:
    orders, market = world.maker.keeper.orders, world.maker.market
    async with log.step("notice"):
        world.venue.faults.inject("O03", count=2, on="place", how="hang")
        await _stirred_until(world, log, lambda: bool(orders.unknown(market)))
        log.check(True, f"{len(orders.unknown(market))} orders are in doubt, and count")
        world.venue.faults.inject("P01", for_s=1.0, fills=1)
        await log.until(lambda: world.maker.standing.private_down, "the cut")
        log.check(True, "the private stream is cut, and an order is filled meanwhile")
    async with log.step("resolve"):
        await log.until(lambda: not orders.unknown(market), "every answer")
        await log.until(world.quotes_both_sides, "quotes")
        names = [order.client_id for order in world.truth().orders]
        log.check(len(names) == len(set(names)), f"{len(names)} orders, each of them once")
    wallet, money = await world.node.balances(), world.files.treasury.money
    async with log.step("count"):
        coins = Coins(asset=money.name, atoms=missing, exponent=money.exponent)
        late = lock("withdrawal", LockKind.WITHDRAWAL, world.wallet, coins, DELAY_H)
        arrived = [_more(one, coins) for one in wallet]
        facts = facts_of(world, wallet, [late])
        on_its_way, there = report_of(world, facts), report_of(world, facts_of(world, arrived))
        is_less = on_its_way.liquid.money_atoms < there.liquid.money_atoms
        log.check(is_less, f"if it were there: {headline(world, there)}")
        log.check(is_less, f"on its way: {headline(world, on_its_way)}")
    async with log.step("ladder"):
        plan = plan_of(world, facts, missing, PLAN_H)
        names = [one.source.of for one in plan.taken]
        log.check("withdrawal" not in names, plan_line(world, plan))
    async with log.step("roll back"):
        await log.until(world.quotes_both_sides, "quotes")
        await log.until(lambda: not world.differences(), "agreement with the venue")
        log.check(True, "money and orders are the venue's, to the atom")


def _more(one: Coins, coins: Coins) -> Coins:
    atoms = one.atoms + coins.atoms if one.asset == coins.asset else one.atoms
    return Coins(asset=one.asset, atoms=atoms, exponent=one.exponent)


async def _stirred_until(world: DrillWorld, log: DrillLog, is_so: Callable[[], bool]) -> None:
    """Move the ladder to and fro until orders were placed into the fault."""
    for label in (RatingLabel.STRONG_SELL, RatingLabel.STRONG_BUY) * STIRS:
        await world.rate(label)
        with suppress(NotHappened):
            await log.until(is_so, "an order in doubt", STIR_S)
            return
    raise NotHappened(f"no order was in doubt within {2 * STIRS * STIR_S:.0f} s")


# --- of all drills ------------------------------------------------------------------------------


def venue_of(world: DrillWorld) -> str:
    return world.maker.quoter.setup.instrument.venue


def _stop(trigger: Trigger, seen_ns: int, venue: str) -> Override:
    does = StopActions(scope=Scope.VENUE, name=venue)
    return Override(trigger=trigger, seen_ns=seen_ns, target=venue, does=does)


def judged(proposal: Proposal | str, wanted: Status) -> tuple[bool, str]:
    """(as it should be, what became of it) of what the desk was asked."""
    if isinstance(proposal, str):
        return False, f"refused: {proposal}"
    row = proposal.ruling.row
    return proposal.status is wanted, f'{proposal.name}, row "{row}": {proposal.status}'


async def ended(world: DrillWorld, log: DrillLog, proposal: Proposal | str) -> None:
    """Ask the place until it says how it ended; nothing is handed over again."""
    if isinstance(proposal, str):
        log.check(False, f"refused: {proposal}")
        return
    name, driver = proposal.name, world.desk.driver
    while driver.desk.proposals[name].status is Status.UNKNOWN:
        await log.until(lambda: True, "time", 0.1)
        await driver.carry_out()
    log.check(*judged(driver.desk.proposals[name], Status.DONE))


async def quoting_again(world: DrillWorld, log: DrillLog, reason: str) -> None:
    """A person resumes what has been reconciled; then both sides stand, and the books agree."""
    await world.resume(reason)
    took_s = await log.until(world.quotes_both_sides, "quotes")
    log.check(True, f"quoting again {took_s:.2f} s after the word of a person")
    await log.until(lambda: not world.differences(), "agreement with the venue")
    log.check(True, f"money and orders of {ACCOUNT} are the venue's, to the atom")
