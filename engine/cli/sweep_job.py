"""One run of a sweep, as it travels to another process and comes back as a row."""

from importlib.resources import files
from pathlib import Path

import msgspec

from engine.cli.backtest_data import data_of, hash_of
from engine.cli.backtest_run import Wanted, run_backtest
from engine.cli.loading import load_all
from engine.runtime.config import Config
from engine.runtime.plugins import AUTHOR_ERRORS
from engine.sim.sweep import Failed, Row, Run, row_of
from engine.values.errors import UserError

ROOMS = ("values", "market", "signals", "treasury", "trading", "sim")
"""What decides and what fills, beside `core.py`: another word in them may be another result."""


def _code_hash() -> str:
    root = Path(str(files("engine")))
    sources = [file for room in ROOMS for file in sorted((root / room).rglob("*.py"))]
    return hash_of([*sources, root / "core.py"])


CODE_HASH = _code_hash()
"""Of the sources of the engine that runs in this process: taken when it starts, as they are."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """All that a process needs for a run, and the hashes that prove that it has the same.

    `config` is the canonical JSON of the config with the settings in it and strategy files by
    absolute path; `name` is what its mistakes are reported under.
    """

    run: Run
    config: str
    name: str
    paths: tuple[str, ...]
    epoch: int
    wanted: Wanted
    data_hash: str
    strategy_hashes: tuple[str, ...]
    code_hash: str


def run_job(job: Job) -> Row | Failed:
    """The row, or why there is none; never an exception of the config's, data's or strategy's."""
    try:
        return _run(job)
    except (UserError, *AUTHOR_ERRORS) as error:
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return Failed(job=job.run.job, settings=job.run.settings, reason=reason)


def _run(job: Job) -> Row:
    if job.code_hash != CODE_HASH:
        raise UserError("the engine here is not the one that the sweep was started with")
    config = msgspec.json.decode(job.config, type=Config)
    data = data_of(config, [Path(path) for path in job.paths], job.epoch)
    if data.hash != job.data_hash:
        raise UserError("the data are not those that the sweep was started with")
    hashes = tuple(each.file_hash for each in load_all(config, job.name))
    if hashes != job.strategy_hashes:
        raise UserError("the strategy's file is not the one that the sweep was started with")
    ran = run_backtest(config, job.name, data, job.wanted)
    return row_of(job.run, ran.result, ran.instruments, round(ran.seconds, 3))
