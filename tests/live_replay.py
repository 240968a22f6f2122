"""The recorded session of a live world, fed again: every decision as it was."""

from collections.abc import Sequence
from pathlib import Path

from engine.cli.rebuild import rebuilt
from engine.runtime.recording import entries, sessions
from engine.sim.replay import Replay
from engine.trading.disturbances import Disturbances
from tests.live_world import PATIENT


def replayed(home: Path) -> Sequence[object]:
    """As `ballast replay --verify`, with the patience of a live world; returns what was fed."""
    [session] = sessions(home)
    engine = rebuilt(session).engine
    engine.disturbances = Disturbances(PATIENT)
    run, fed = Replay(engine), list(entries(session))
    for entry in fed:
        found = run.feed(entry)
        assert found is None, found
    assert run.finish() is None
    assert run.outcomes > 10
    return fed
