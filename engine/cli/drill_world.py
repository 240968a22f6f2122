"""What a drill happens in: a loopback venue, an engine that quotes on it, a chain, and a desk.

The venue and the engine run in real time, as `ballast run` joins them. The chain is simulated and
its clock runs CHAIN_SPEED times as fast. All of it is on 127.0.0.1, in a directory of its own, with
keys made for this run.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import KeyPair, new_hmac
from adapters.loopback.venue import LoopbackVenue, Truth
from engine.cli.assemble import running
from engine.cli.demo_venue import flat
from engine.cli.drill_desk import DrillDesk, DrillPlace, drill_authority
from engine.cli.venue import write_key
from engine.runtime.action_driver import open_driver
from engine.runtime.chain_place import ChainPlace
from engine.runtime.config import Config, config_of_table
from engine.runtime.config_base import whole_table
from engine.runtime.journal_reader import verify
from engine.runtime.live import Ending, Live
from engine.runtime.operating import Operating
from engine.runtime.redaction import Redactor
from engine.runtime.simulated_chain import SimulatedNode
from engine.runtime.treasury_facts import FactsFile, parse_facts
from engine.runtime.treasury_file import TreasuryFile
from engine.sim.chain import ChainParams, SimulatedChain
from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import PRESETS
from engine.trading.maker import Maker
from engine.trading.standing import MarketState
from engine.treasury.authority import Address, Authority
from engine.treasury.params import PlaceKind
from engine.values.action_words import Coins
from engine.values.errors import UserError
from engine.values.events import RatingLabel, RatingSet, Resume
from engine.values.records import Alert
from engine.values.units import NS_PER_S, Ns, scaled

ACCOUNT, SYMBOL = "main", "BTTUSDT"
OPENING = {"BTT": atoms("200000000"), "USDT": atoms("1000")}
CHAIN_SPEED = 60
CHAIN_EXPIRES_NS = 300 * NS_PER_S
RESERVE = Address(place="reserve wallet", network="tron", address="demo-reserve-wallet", memo="")
PATIENCE_S = 20.0
NOT_DRILLED = ("playbook", "broad", "technical")


class DrillFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill is made from. `custody` is what the wallet opens with."""

    config: Path
    treasury: TreasuryFile
    authority: Authority
    custody: FactsFile
    seed: int


class DrillWorld:
    """Everything that a drill may touch."""

    def __init__(self, files: DrillFiles, venue: LoopbackVenue, live: Live) -> None:
        self.files = files
        self.venue = venue
        self.live = live
        self.wallet = wallet_of(files.treasury)
        self.alerts: list[Alert] = []
        self.stolen: KeyPair = new_hmac(ACCOUNT)
        self._began_ns = live.clock.now_ns()
        chain = SimulatedChain(
            _chain_params(files.treasury), _opening(files, self.wallet), files.seed, self._began_ns
        )
        self.node = SimulatedNode(chain, self.chain_ns)
        self.desk: DrillDesk
        live.on_alert(self.alerts.append)

    @property
    def chain(self) -> SimulatedChain:
        return self.node.chain

    @property
    def maker(self) -> Maker:
        return next(iter(self.live.engine.makers.values()))

    @property
    def state(self) -> MarketState:
        return self.maker.state[0]

    @property
    def reason(self) -> str:
        return self.maker.state[1]

    def chain_ns(self) -> Ns:
        return self._began_ns + (self.live.clock.now_ns() - self._began_ns) * CHAIN_SPEED

    def truth(self) -> Truth:
        """What the venue itself holds."""
        return self.venue.state()

    def quotes_both_sides(self) -> bool:
        sides = {order.side for order in self.truth().open_orders}
        return self.state is MarketState.QUOTING and len(sides) == 2

    def is_blind(self) -> bool:
        """The engine knows that it does not see: a doubt about the book or the wires."""
        standing = self.maker.standing
        sources = {"public link", "stalled", "book", "second stream"}
        return bool(standing.private_down or sources & standing.doubts.keys())

    def account(self) -> FactsFile:
        table = Operating(self.live, "drill", "demo").account()
        return parse_facts(table, "the engine")

    async def resume(self, reason: str) -> None:
        """The word of a person, which also claims what nothing explained."""
        for market in self.live.engine.makers:
            at_ns = self.live.clock.now_ns()
            await self.live.tell(Resume(market=market, at_ns=at_ns, who="drill", reason=reason))

    async def rate(self, label: RatingLabel) -> None:
        """A word that moves the ladder, so that orders are placed."""
        now_ns = self.live.clock.now_ns()
        for market in self.live.engine.makers:
            await self.live.tell(
                RatingSet(
                    market=market,
                    at_ns=now_ns,
                    label=label,
                    expires_ns=now_ns + 3_600 * NS_PER_S,
                    source="drill",
                )
            )

    def differences(self) -> list[str]:
        """Where the engine's money and position are not the venue's, to the atom."""
        held, portfolio = self.truth().balances[ACCOUNT], self.maker.keeper.portfolio
        found = []
        for asset in OPENING:
            ours = portfolio.balance(asset)
            theirs = sum(held[asset]) * 10 ** (portfolio.exponent(asset) - 8)
            if ours != theirs:
                found.append(f"{asset}: ours {ours}, the venue's {theirs}")
        names = [order.client_id for order in self.truth().orders]
        if len(names) != len(set(names)):
            found.append("an order was sent twice")
        return found


@asynccontextmanager
async def drill_world(files: DrillFiles, directory: Path) -> AsyncIterator[DrillWorld]:
    """A world in which the engine quotes both sides. Raises UserError where it does not begin."""
    pair, stolen = new_hmac(ACCOUNT), new_hmac(ACCOUNT)
    key_file = directory / "key.json"
    write_key(key_file, pair)
    venue = _venue([pair, stolen], files.seed)
    async with AsyncExitStack() as stack:
        await venue.start()
        stack.push_async_callback(venue.stop)
        config = _config(files.config, directory, key_file, flat(venue.urls()))
        async with running(config, str(files.config), Redactor()) as live:
            world = DrillWorld(files, venue, live)
            world.stolen = stolen
            async with _engine(world), _desk(world, directory):
                yield world
        if problem := verify(config.journal_path).problem:
            raise UserError(f"the journal of the drill is broken: {problem}")


@asynccontextmanager
async def _engine(world: DrillWorld) -> AsyncIterator[None]:
    """The engine runs while this lasts; then the venue heals and the engine ends in order."""
    run = asyncio.create_task(world.live.run(), name="the engine")
    try:
        await _begun(world, run)
        yield
    finally:
        world.venue.faults.heal()
        world.live.stop("the end of the drill")
        await asyncio.wait_for(run, PATIENCE_S)


@asynccontextmanager
async def _desk(world: DrillWorld, directory: Path) -> AsyncIterator[None]:
    authority = drill_authority(world.files.authority, [RESERVE])
    clock = world.live.clock
    place = DrillPlace(world.live, ChainPlace(world.node, world.chain_ns, CHAIN_EXPIRES_NS))
    async with open_driver(directory / "desk", authority, place, clock.now_ns) as driver:
        world.desk = DrillDesk(driver, directory, clock.now_ns)
        await world.desk.open()
        yield


async def _begun(world: DrillWorld, run: asyncio.Task[Ending]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not world.quotes_both_sides():
        if run.done():
            raise UserError(f"the engine of the drill ended: {run.exception() or run.result()}")
        if time.monotonic() > deadline:
            raise UserError(f"the engine of the drill does not quote: {world.reason}")
        await asyncio.sleep(0.01)


def _venue(pairs: Sequence[KeyPair], seed: int) -> LoopbackVenue:
    ids: Callable[[], int] = count(1).__next__
    config = VenueConfig(
        symbols=[btt_usdt()],
        keys=[pair.key for pair in pairs],
        balances={ACCOUNT: dict(OPENING)},
    )
    flow = SyntheticMarket(PRESETS["btt-thin"], seed, ids)
    return LoopbackVenue(config, {SYMBOL: flow}, ids=ids)


def _config(path: Path, directory: Path, key_file: Path, urls: dict[str, str]) -> Config:
    """The demo's market on the drill's venue, with short memories and a home of its own."""
    table: Any = whole_table(path)[0]
    table.pop("watched", None)
    table["data_dir"] = str(directory / "data")
    runtime = {"timer_ms": 20, "reconcile_s": 1.0, "quote_budget_ms": 500}
    table["runtime"] = {**table.get("runtime", {}), **runtime}
    for venue in table["venues"]:
        venue["key_file"], venue["urls"] = str(key_file), urls
        venue["options"] = {"request_timeout_ms": 1500, "recv_window_ms": 1000}
    for market in table["markets"]:
        for name in NOT_DRILLED:
            market.pop(name, None)
        short = {"volatility_sample_s": 0.1, "volatility_warm_up_s": 0.3}
        market["features"] = {**market.get("features", {}), **short}
    return config_of_table(table, str(path))


# --- the chain ----------------------------------------------------------------------------------


def wallet_of(file: TreasuryFile) -> str:
    """The place that the chain of a drill stands for. Raises UserError."""
    for place in file.places:
        if place.kind is not PlaceKind.VENUE:
            return place.name
    raise UserError("places: a drill needs a wallet or a custodian, and there are only venues")


def _chain_params(file: TreasuryFile) -> ChainParams:
    hours = {row.platform: row.unwind_h for row in file.placement.options} if file.placement else {}
    return ChainParams(
        block_ns=3 * NS_PER_S,
        inclusion_blocks=2,
        confirmations=19,
        reverted_ppm=0,
        lost_ppm=0,
        notices={name: unwind_h * 3_600 * NS_PER_S for name, unwind_h in hours.items()},
    )


def _opening(files: DrillFiles, wallet: str) -> dict[str, Coins]:
    """What the file of custody says that the wallet holds."""
    exponents = {row.name: row.exponent for row in files.treasury.assets}
    exponents[files.treasury.money.name] = files.treasury.money.exponent
    found = dict.fromkeys(exponents, 0)
    for row in files.custody.balances:
        if row.place == wallet and row.asset in exponents:
            try:
                found[row.asset] = scaled(row.amount, exponents[row.asset])
            except ValueError as error:
                raise UserError(f"the facts of {wallet}: {error}") from error
    return {
        name: Coins(asset=name, atoms=amount, exponent=exponents[name])
        for name, amount in found.items()
    }
