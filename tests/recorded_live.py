"""A live engine on a loopback venue that is recorded as `ballast run` will record it."""

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import tomlkit

from adapters.loopback.venue import LoopbackVenue
from engine.cli.assemble import running
from engine.cli.demo_venue import flat
from engine.cli.loading import load_all
from engine.cli.venue import write_key
from engine.runtime.config import Config, parse_config
from engine.runtime.live import Live
from engine.runtime.recorder import Recorder, RecorderParams
from engine.runtime.recording import header_of
from engine.runtime.redaction import Redactor
from tests.live_world import ACCOUNT, demo_table, new_hmac, thin_venue
from tests.patience import in_time, until


@asynccontextmanager
async def venue_and_config(tmp_path: Path):
    """A thin market that lives through several sessions, and the config to trade it."""
    pair = new_hmac(ACCOUNT)
    write_key(tmp_path / "key.json", pair)
    venue = thin_venue(pair)
    await venue.start()
    table = demo_table(tmp_path / "data", tmp_path / "key.json", flat(venue.urls()))
    try:
        yield venue, parse_config(tomlkit.dumps(table), "a test's config")
    finally:
        await venue.stop()


async def recorded_session(config: Config, seconds: float) -> Recorder:
    """Quote for some seconds, and until an order has stood, and stop in order."""
    async with running(config, "a test's config", Redactor()) as live:
        recorder = attached(live, config)
        recorder.start()
        run = asyncio.create_task(live.run())
        await asyncio.sleep(seconds)
        await until(lambda: run.done() or _has_quoted(live), "an order of ours")
        live.stop("the test")
        async with in_time("the end of the engine"):
            await run
    recorder.close()
    return recorder


def _has_quoted(live: Live) -> bool:
    """And there is enough of it for a replay to say something."""
    return live.processed > 200 and any(m.quoter.own for m in live.engine.makers.values())


def attached(live: Live, config: Config) -> Recorder:
    """A recorder that hears each fact before the engine does, and each step after it."""
    engine = live.engine
    header = header_of(
        config,
        engine.params,
        [maker.quoter.setup.instrument for maker in engine.makers.values()],
        load_all(config, ""),
        (live._journal.count, live.clock.now_ns(), version("ballast")),
    )
    recorder = Recorder(config.data_path, header, RecorderParams(free_bytes_min=0, flush_s=0.2))
    process = engine.process

    def heard(event):
        recorder.take(event)
        step = process(event)
        if step.records or step.commands:
            recorder.made(step)
        return step

    engine.process = heard  # type: ignore[method-assign]
    return recorder


__all__ = ["LoopbackVenue", "attached", "recorded_session", "venue_and_config"]
