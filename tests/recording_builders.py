"""A deterministic world whose every fact is written down, and the header of such a recording."""

import msgspec
import zstandard

from engine.runtime.blocks import AS_MSGPACK, END, ENTRIES, HEADER, PART_HEAD, Ended, framed
from engine.runtime.config import config_hash, load_config
from engine.runtime.recording import MAGIC, Header, file_name
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


def write_session(directory, head, entries):
    """A session's file with these very entries, closed in order."""
    packer = zstandard.ZstdCompressor()
    body = msgspec.msgpack.encode(list(entries))
    raw = PART_HEAD.pack(AS_MSGPACK, len(body)) + body
    blocks = [
        framed(HEADER, 0, packer.compress(msgspec.json.encode(head))),
        framed(ENTRIES, len(entries), packer.compress(raw)),
        framed(END, 0, msgspec.json.encode(Ended(goes_on=False))),
    ]
    (directory / file_name(head.epoch, 0)).write_bytes(MAGIC + b"".join(blocks))
