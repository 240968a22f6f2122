"""What `pytest` gets from ballast: `clock`, `sim_venue` and `replay`. See docs/tutorial.md.

It is loaded wherever ballast is installed, so it imports the engine only where a test asks for it.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from engine.cli.backtest_run import Ran
    from engine.cli.sim_venue import Clock, SimVenue


@pytest.fixture
def clock() -> "Clock":
    """The time of the test. It stands until `clock.pass_s(seconds)`."""
    made: Clock = import_module("engine.cli.sim_venue").Clock()
    return made


@pytest.fixture
def sim_venue(clock: "Clock") -> "Iterator[SimVenue]":
    """A venue on `clock`, with a synthetic market and the live engine around your strategy.

    `trade(config_or_class, **params)` begins to quote; `view(**changes)` is what a strategy sees;
    `strike("F01")` injects a fault; `orders`, `fills`, `position_lots`, `state` and `reason` are
    what came of it. At the end of the test its money and orders are checked to agree.
    """
    made: SimVenue = import_module("engine.cli.sim_venue").SimVenue(clock)
    yield made
    made.check()


@pytest.fixture
def replay() -> "Callable[..., Ran]":
    """`replay(config_or_class, *recordings, seed=0, **params)`: a back-test that is run twice.

    It fails at the first decision that differs: then a clock, chance or state of an earlier run is
    in the strategy. Without recordings the market is synthetic. Returns the first run.
    """
    made: Callable[..., Any] = import_module("engine.cli.sim_venue").replayed
    return made
