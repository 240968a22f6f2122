"""A deterministic world whose every fact is written down, and the header of such a recording."""

import msgspec

from engine.runtime.config import config_hash, load_config
from engine.runtime.recording import Header
from tests.sim import builders
from tests.sim.venue import BTT
from tests.sim.world import START_NS, World

EPOCH = 1


def header(at_ns=START_NS, epoch=EPOCH, past_seq=0):
    config = load_config(builders.DEMO)
    return Header(
        epoch=epoch,
        part=0,
        at_ns=at_ns,
        code_version="0",
        config=msgspec.json.encode(config).decode(),
        config_hash=config_hash(config),
        params=builders.engine(epoch=epoch).params,
        instruments=[BTT],
        strategies=[],
        past_seq=past_seq,
    )


def lived(recorder, seconds=8.0, seed=1):
    """A world of some seconds, of which `recorder` is told everything. Returns its facts."""
    world, facts = World(seed), []
    process = world.engine.process

    def told(event):
        facts.append(event)
        recorder.take(event)
        step = process(event)
        if step.records or step.commands:
            recorder.made(step)
        return step

    world.engine.process = told
    world.run(seconds)
    return facts
