"""`ballast check`: everything about a config that can be known before a venue is asked."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.loading import load_all, venue_options
from engine.cli.show import as_json
from engine.runtime.config import Config, MarketConfig, config_hash, load_config
from engine.runtime.control import refuse_long
from engine.runtime.plugins import LoadedStrategy


def check(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Check CONFIG, load its strategies with their params, and say what would run."""
    checked = load_config(config)
    refuse_long(checked.socket_path)
    venue_options(checked, str(config))
    loaded = load_all(checked, str(config))
    if json:
        as_json(_summary(checked, loaded))
        return
    typer.echo(f"{config}: fine; {checked.name}, mode {checked.mode}, data in {checked.data_dir}")
    for market, strategy in zip(checked.markets, loaded, strict=True):
        typer.echo(_text(market, strategy))


def _summary(config: Config, loaded: list[LoadedStrategy]) -> dict[str, object]:
    return {
        "ok": True,
        "name": config.name,
        "mode": config.mode,
        "config_hash": config_hash(config),
        "data_dir": config.data_dir,
        "markets": [
            {
                "market": market.market,
                "strategy": strategy.name,
                "file": strategy.file,
                "file_hash": strategy.file_hash,
                "params": strategy.params,
                "risk_rows": len(market.risk),
            }
            for market, strategy in zip(config.markets, loaded, strict=True)
        ],
    }


def _text(market: MarketConfig, strategy: LoadedStrategy) -> str:
    bands = market.bands
    return (
        f"  {market.market}: {strategy.name} ({strategy.file}, {strategy.file_hash[:12]})\n"
        f"    params   {strategy.params}\n"
        f"    bands    floor {bands.floor}, lower {bands.lower}, target {bands.target}, "
        f"upper {bands.upper}, cap {bands.cap}\n"
        f"    risk     {', '.join(sorted(row.check for row in market.risk))}"
    )
