"""From a config, data and `--set` to jobs, with every mistake found before anything runs."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from engine.cli.backtest_data import Data, data_of
from engine.cli.backtest_flags import plugged_hash
from engine.cli.backtest_run import Wanted, accounts_of, check_flags, engine_over
from engine.cli.loading import load_all
from engine.cli.sweep_job import CODE_HASH, Job
from engine.cli.sweep_keys import assumed_with, axes_of, with_settings
from engine.runtime.config import Config, config_hash, load_config, parse_config, with_files
from engine.runtime.person_file import read_text
from engine.runtime.plugins import LoadedStrategy
from engine.sim.sweep import Axis, Run, Settings, grid
from engine.values.errors import UserError
from engine.values.table_check import toml_table
from engine.values.units import Ns


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    config: Path
    paths: list[Path]
    epoch: int
    sets: list[str]
    wanted: Wanted
    step_ns: Ns


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Every run that was asked for, in the order of the grid."""

    name: str
    axes: list[Axis]
    jobs: list[Job]
    data_hash: str
    step_ns: Ns


def plan_of(asked: Asked) -> Plan:
    """Raises UserError, one line that names the flag, key or file, before anything has run."""
    base = load_config(asked.config)
    check_flags(asked.wanted)
    table = toml_table(read_text(asked.config), str(asked.config))
    axes = axes_of(asked.sets, table)
    combinations = grid(axes)
    for axis in axes:  # one by one first: a mistake is then named by the one key that makes it
        for value in axis.values:
            _checked(asked, table, {axis.key: value})
    data = data_of(base, asked.paths, asked.epoch)
    if not any(market.market in data.instruments for market in base.markets):
        there = ", ".join(data.instruments)
        raise UserError(f"{asked.config}: no market of it is in the data; there are: {there}")
    jobs = [_job(asked, table, settings, data) for settings in combinations]
    return Plan(name=base.name, axes=axes, jobs=jobs, data_hash=data.hash, step_ns=asked.step_ns)


def _job(asked: Asked, table: dict[str, Any], settings: Settings, data: Data) -> Job:
    """Everything of the run is made once here, but for the run itself."""
    config, loaded, wanted = _checked(asked, table, settings)
    with _named(settings):
        accounts_of(config, data, wanted)
        engine_over(config, str(asked.config), data)
    hashes = tuple(each.file_hash for each in loaded)
    models = plugged_hash(wanted.queue)
    whole = [config_hash(config), hashes, CODE_HASH, wanted, models, data.hash, asked.step_ns]
    digest = hashlib.blake2b(msgspec.json.encode(whole), digest_size=8).hexdigest()
    return Job(
        run=Run(job=digest, settings=settings, step_ns=asked.step_ns),
        config=msgspec.json.encode(_anywhere(config), order="sorted").decode(),
        name=str(asked.config),
        paths=tuple(str(path.resolve()) for path in asked.paths),
        epoch=asked.epoch,
        wanted=wanted,
        data_hash=data.hash,
        strategy_hashes=hashes,
        code_hash=CODE_HASH,
    )


def _checked(
    asked: Asked, table: dict[str, Any], settings: Settings
) -> tuple[Config, list[LoadedStrategy], Wanted]:
    """The config with these settings, its strategies made once, and what the run assumes."""
    name = str(asked.config)
    changed = with_settings(table, settings)
    wanted = assumed_with(asked.wanted, settings)
    with _named(settings):
        check_flags(wanted)
        config = with_files(parse_config(tomlkit.dumps(changed), name))
        return config, load_all(config, name), wanted


@contextmanager
def _named(settings: Settings) -> Iterator[None]:
    """A mistake inside is told as one line that begins with the settings that led to it."""
    try:
        yield
    except UserError as error:
        first = str(error).splitlines()[0]
        raise UserError(f"--set {shown(settings)}: {first}") from error


def _anywhere(config: Config) -> Config:
    """Strategy files by absolute path: a worker may run in another directory."""
    markets = [
        msgspec.structs.replace(market, strategy=_absolute(market.strategy))
        for market in config.markets
    ]
    return msgspec.structs.replace(config, markets=markets)


def _absolute(spec: str) -> str:
    where, colon, name = spec.rpartition(":")
    return f"{Path(where).expanduser().resolve()}{colon}{name}" if where.endswith(".py") else spec


def shown(settings: Settings) -> str:
    """Settings as they were typed."""
    return " ".join(f"{key}={value}" for key, value in settings.items()) or "(nothing)"


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last step of each path where that is enough to tell them apart."""
    last = {key: key.rpartition(".")[2] for key in keys}
    return {
        key: name if list(last.values()).count(name) == 1 else key for key, name in last.items()
    }
