"""The exchanges of a live quarter: two loopback venues that share the quarter's time."""

from collections.abc import Callable
from itertools import count

from adapters.loopback.config import Limits, SymbolSpec, VenueConfig, atoms
from adapters.loopback.keys import KeyPair
from adapters.loopback.recorded import Recording
from adapters.loopback.venue import LoopbackVenue
from engine.sim.matching.flow import Flow
from engine.sim.quarter_flows import CrowdFlow, PegFlow, QuarterFlow
from engine.sim.quarter_setup import BEGIN_NS, USDD, QuarterSetup, instrument, peg, prices
from engine.sim.quarter_setup import start_balances as opening
from engine.sim.quarter_world import MARKETS
from engine.values.units import Atoms, Ns

ACCOUNT = "treasury"
LEAST = atoms("0.1")
LIMITS = Limits(orders_per_10_s=1_000)


class QuarterVenue:
    """One exchange, its other traders by symbol, and whether it answers."""

    def __init__(
        self, name: str, setup: QuarterSetup, pair: KeyPair, clock: Callable[[], Ns]
    ) -> None:
        self.name = name
        self.is_down = False
        ids: Callable[[], int] = count(1).__next__
        self.flows: dict[str, QuarterFlow] = {}
        specs = [_spec(base) for base, venue in MARKETS if venue == name]
        for spec in specs:
            seed = f"{setup.seed} {setup.path} {spec.symbol}@{name}"
            self.flows[spec.base] = (
                PegFlow(_ticks(peg(setup, BEGIN_NS)), ids)
                if spec.base == USDD
                else CrowdFlow(seed, prices(setup)[0], ids)
            )
        flows: dict[str, Flow | Recording] = {spec.symbol: self.flows[spec.base] for spec in specs}
        config = VenueConfig(
            symbols=specs, keys=[pair.key], balances={ACCOUNT: _opening(name)}, limits=LIMITS
        )
        self.exchange = LoopbackVenue(config, flows, ids=ids, clock=clock)

    def reopen_markets(self, setup: QuarterSetup, at_ns: Ns, price: float) -> None:
        """Others stand around the price of the path from now on."""
        for base, flow in self.flows.items():
            flow.reopen(_ticks(peg(setup, at_ns)) if base == USDD else price)

    def held(self) -> dict[str, Atoms]:
        """Free and locked together, as the venue itself counts it."""
        found = self.exchange.state().balances[ACCOUNT]
        return {asset: sum(pair) for asset, pair in found.items()}

    def quotes(self) -> int:
        """How many orders of ours stand there."""
        return len(self.exchange.exchange.store.open_orders(ACCOUNT))

    def free(self, asset: str) -> Atoms:
        return self.exchange.exchange.accounts[ACCOUNT].free.get(asset, 0)

    def move(self, asset: str, amount: Atoms) -> None:
        """A deposit, or a withdrawal where it is below 0."""
        self.exchange.move(ACCOUNT, asset, amount)

    async def shut(self) -> None:
        self.is_down = True
        await self.exchange.shut()

    async def reopen(self) -> None:
        await self.exchange.reopen()
        self.is_down = False


def _spec(base: str) -> SymbolSpec:
    item = instrument(base, "")
    return SymbolSpec(
        symbol=item.venue_symbol, base=item.base, quote=item.quote,
        price_exponent=item.price_exponent, tick=item.tick, size_exponent=item.size_exponent,
        lot=item.lot, notional_min=LEAST, maker_fee_ppm=item.maker_fee_ppm,
        taker_fee_ppm=item.taker_fee_ppm, tick_max=10**10, lots_max=10**11,
    )  # fmt: skip


def _opening(name: str) -> dict[str, Atoms]:
    return {asset: amount for (place, asset), amount in opening().items() if place == name}


def _ticks(price: float) -> int:
    return round(price * float(10 ** instrument(USDD, "").price_exponent))
