"""A seed's whole story: bad weather, then healing (L1 to L5), then an orderly stop."""

from random import Random

from engine.trading.standing import MarketState
from engine.values.events import Stream
from tests.sim.venue import MARKET, Violated
from tests.sim.world import World, bad_weather

BAD_S, HEALED_S = 30, 30
REASONS_TO_FREEZE: tuple[str, ...] = ()


def play(seed: int, traced: bool = False, bad_s: float = BAD_S, **kwargs) -> World:
    world = World(seed, bad_weather(Random(f"weather {seed}")), traced=traced, **kwargs)
    world.run(bad_s)
    world.heal()
    _must(world.run_while(lambda: not world.alive, 5), "the process came back")
    if world.checks.is_halted:
        world.run(5)
    if world.checks.is_halted:
        world.resume()
    _must(world.run_while(lambda: _unknown(world), 30), "L1: no order is unknown", world)
    quoting = lambda: world.state is not MarketState.QUOTING  # noqa: E731
    _must(world.run_while(quoting, 30), "L3: quoting again", world)
    world.run(HEALED_S - 10)
    world.checks.rebuilt_equals_live()
    world.stop()
    _must(world.run_while(lambda: not world.engine.is_finished, 10), "a stop ends", world)
    if world.venue.open_rows():
        raise Violated(f"stopped with {len(world.venue.open_rows())} orders at the venue")
    world.checks.agrees()
    return world


def _unknown(world):
    return not world.alive or world.keeper.orders.unknown(MARKET)


def _must(seconds, what, world=None):
    if seconds is None:
        state = world.maker.state if world and world.alive else "dead"
        doubts = world.maker.standing.doubts if world and world.alive else ""
        raise Violated(f"not in time: {what}, but {state} {doubts}")


__all__ = ["Stream", "play"]
