"""`ballast rate`: the 26 votes on the last closed bar, of a file of candles or of a venue's."""

import gzip
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.rate_venue import candles_at, is_symbol
from engine.cli.show import as_json
from engine.signals.candle_file import candles_of
from engine.signals.candles import Candle
from engine.signals.rating import Rated
from engine.signals.rating import rate as rated_on
from engine.signals.rating_batch import at_bar, history, rate_last
from engine.signals.votes import MOVING_AVERAGES, OSCILLATORS, Component, Rules, Snapshot
from engine.values.errors import UserError

VOTES_MIN = 20
FILE_BYTES_MAX = 200_000_000
MARKS = {1: "buy", 0: "neutral", -1: "sell", None: "-"}
SHOWN = {
    "ichimoku": ("conversion", "base", "span_a26", "span_b26"),
    "rsi": ("rsi", "rsi1"),
    "stochastic": ("k", "d"),
    "cci": ("cci", "cci1"),
    "adx": ("adx", "adx1", "plus_di", "minus_di"),
    "awesome": ("ao", "ao1", "ao2"),
    "momentum": ("momentum", "momentum1"),
    "macd": ("macd", "signal"),
    "stochastic_rsi": ("rsi_k", "rsi_d", "ema50"),
    "williams": ("williams", "williams1"),
    "bull_bear": ("bull", "bear", "ema50"),
    "ultimate": ("ultimate",),
}
"""The values behind a vote; those of an average are the average itself."""


class Told(msgspec.Struct, frozen=True):
    """What is rated: closed bars, and perhaps one that is still forming."""

    source: str
    closed: list[Candle]
    forming: Candle | None = None


def rate(
    what: Annotated[
        str, typer.Argument(metavar="FILE|SYMBOL", help="Candles in a file, or BTT/USDT.")
    ],
    rules: Annotated[Rules, typer.Option(help="Which rules vote.")] = Rules.R2024,
    votes_min: Annotated[int, typer.Option(help="Fewer votes are no rating.")] = VOTES_MIN,
    forming: Annotated[
        bool, typer.Option("--forming", help="The last row of FILE is still forming.")
    ] = False,
    timeframe: Annotated[str, typer.Option(help="Of SYMBOL's bars: 1m, 1h, 1d.")] = "1d",
    config: Annotated[
        Path | None, typer.Option("--config", "--at", help="Whose venue is asked for SYMBOL.")
    ] = None,
    venue: Annotated[str, typer.Option(help="Which of its venues, where it has several.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Rate the last closed bar: technical rating (TradingView methodology).

    A SYMBOL's bars are read from a venue without any key; the bar that is still forming is shown
    apart, as provisional.
    """
    told = _at_venue(what, timeframe, config, venue) if is_symbol(what) else _in_file(what, forming)
    values = at_bar(history(told.closed), -1)
    rated = rated_on(values, rules)
    provisional = _provisional(told, rules, votes_min)
    is_enough = rated.voted >= votes_min
    if json:
        answer = _answer(rated, values, rules, is_enough=is_enough, bars=len(told.closed))
        as_json(answer | {"source": told.source, "provisional": provisional})
        return
    typer.echo(
        f"{told.source}: {len(told.closed)} closed bars, rules of {rules}, "
        f"close {values['close']:.10g}"
    )
    for title, group in (("moving averages", MOVING_AVERAGES), ("oscillators", OSCILLATORS)):
        typer.echo(title)
        for component in group[rules]:
            typer.echo(_line(component, rated, values))
    typer.echo(_verdict(rated, votes_min, is_enough=is_enough))
    if provisional is not None:
        label, score = provisional["label"] or "no rating", provisional["all"] or 0.0
        typer.echo(f"provisional, if the forming bar closed now: {label} ({score:+.6f})")


def _in_file(name: str, is_forming: bool) -> Told:
    candles = candles_of(_text(Path(name)), name)
    closed = candles[:-1] if is_forming else candles
    if not closed:
        raise UserError(f"{name}: no closed bar")
    return Told(name, closed, candles[-1] if is_forming else None)


def _at_venue(symbol: str, timeframe: str, config: Path | None, venue: str) -> Told:
    if config is None:
        raise UserError(f"{symbol}: whose bars? Name a config with --at, and perhaps a --venue")
    *closed, forming = candles_at(symbol, timeframe, config, venue)
    if not closed:
        raise UserError(f"{symbol}: no bar of {timeframe} has closed yet")
    return Told(f"{symbol} {timeframe}", closed, forming)


def _provisional(told: Told, rules: Rules, votes_min: int) -> dict[str, Any] | None:
    if told.forming is None:
        return None
    rated = rate_last([*told.closed, told.forming], rules)
    is_enough = rated.voted >= votes_min
    label = rated.label if is_enough else None
    return {"label": label, "all": rated.all, "voted": rated.voted, "close": told.forming.close}


def _line(component: Component, rated: Rated, values: Snapshot) -> str:
    names = SHOWN.get(component.name, (component.name,))
    shown = "  ".join(f"{name} {values[name]:.8g}" for name in names)
    return f"  {component.name:<16} {MARKS[rated.votes[component.name]]:<8} {shown}"


def _verdict(rated: Rated, votes_min: int, *, is_enough: bool) -> str:
    count = f"{rated.voted} of {len(rated.votes)} voted"
    if not is_enough:
        return f"no rating: {count}, {votes_min} are wanted"
    means = ", ".join(
        f"{name} {'-' if mean is None else f'{mean:+.6f}'}"
        for name, mean in (
            ("moving averages", rated.moving_averages),
            ("oscillators", rated.oscillators),
            ("all", rated.all),
        )
    )
    return f"{rated.label or '-'}: {means}; {count}"


def _answer(
    rated: Rated, values: Snapshot, rules: Rules, *, is_enough: bool, bars: int
) -> dict[str, Any]:
    known = {name: value for name, value in values.items() if value == value}
    return {
        **msgspec.structs.asdict(rated),
        "label": rated.label if is_enough else None,
        "voted": rated.voted,
        "is_rating": is_enough,
        "rules": rules,
        "bars": bars,
        "values": known,
    }


def _text(file: Path) -> str:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            return stream.read(FILE_BYTES_MAX).decode()
    except (OSError, EOFError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: byte {error.start} is not UTF-8 text") from error
