"""A calm world that quotes, for tests that bring one fault themselves."""

from engine.trading.standing import MarketState
from engine.values.commands import CancelAll, Place
from tests.sim.world import START_NS, World


def quoting(seed: int = 1, **kwargs) -> World:
    """No faults but those that the test injects; quoting since a moment."""
    world = World(seed, **kwargs)
    assert world.run_while(lambda: world.state is not MarketState.QUOTING, 10) is not None
    world.run(1)
    return world


def until(world: World, state: MarketState, seconds_max: float = 10) -> float:
    """Seconds until the market is in this state."""
    took = world.run_while(lambda: not world.alive or world.state is not state, seconds_max)
    assert took is not None, f"still {world.maker.state}"
    return took


def since(world: World, began_ns: int, kind: type) -> list:
    return [command for at_ns, command in world.seen_commands if at_ns >= began_ns
            and isinstance(command, kind)]  # fmt: skip


def places(world: World, began_ns: int = START_NS) -> list[Place]:
    return since(world, began_ns, Place)


def pulls(world: World, began_ns: int = START_NS) -> list[CancelAll]:
    return since(world, began_ns, CancelAll)
