"""`ballast study`: what recorded history says, to look at before a number enters a playbook."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.show import as_json
from engine.cli.study_beta import BetaStudy, StudyRules, span_of, study_beta, usual_rules
from engine.cli.study_quant import as2008, glft
from engine.signals.candle_file import candles_of
from engine.signals.candles import Candle
from engine.signals.volatility import close_to_close, garman_klass, parkinson
from engine.trading.playbook_file import load_playbook
from engine.values.errors import UserError
from engine.values.units import NS_PER_S

FILE_BYTES_MAX = 200_000_000

app = typer.Typer(name="study", help="Look at recorded history.", no_args_is_help=True)


app.command()(as2008)
app.command()(glft)


@app.callback()
def _group() -> None:
    """Look at recorded history."""


@app.command()
def beta(
    token_file: Annotated[Path, typer.Argument(help="The token's candles: JSON or CSV, or .gz.")],
    btc_file: Annotated[Path, typer.Argument(help="BTC's candles of the same span.")],
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures here.")] = None,
    playbook: Annotated[
        Path | None, typer.Option(help="Take the rules from this playbook's [outlook].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """How TOKEN_FILE moves with BTC_FILE, and the broad market's regimes meanwhile."""
    token, btc = (candles_of(_text(file), str(file)) for file in (token_file, btc_file))
    study = study_beta(token, btc, _rules(token, btc, (token_file, btc_file), playbook))
    titles = (_title(token_file), _title(btc_file))
    if html is not None:
        _write(html, _page(study, titles))
    if json:
        moves = {"token": moves_of(token), "btc": moves_of(btc)}
        as_json({**summary_of(study), "volatility": moves, "html": html})
        return
    lines = [
        *lines_of(study, titles),
        *(_moves_line(*each) for each in zip(titles, (token, btc), strict=True)),
    ]
    typer.echo("\n".join(lines))
    if html is not None:
        typer.echo(f"pictures in {html}")


def summary_of(study: BetaStudy) -> dict[str, Any]:
    """The numbers that the page and `--json` tell."""
    fit, hedge = study.last, study.hedge
    return {
        "span": study.span,
        "from": _day(study.betas[0].at_ns),
        "to": _day(study.betas[-1].at_ns),
        "shared_bars": len(study.betas),
        "returns": study.returns,
        "holes": study.holes,
        "fit": fit and fit._asdict(),
        "hedge": hedge and hedge._asdict(),
        "regime": study.regimes[-1].regime,
        "shares": study.shares(),
    }


def moves_of(candles: Sequence[Candle]) -> dict[str, float]:
    """Volatility of one bar's log return, by closes and by ranges."""
    return {
        "close_to_close": close_to_close(candles),
        "parkinson": parkinson(candles),
        "garman_klass": garman_klass(candles),
    }


def _moves_line(title: str, candles: Sequence[Candle]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {v:.3%}" for name, v in moves_of(candles).items())
    return f"volatility of {title} in a bar: {told}"


def lines_of(study: BetaStudy, titles: tuple[str, str]) -> list[str]:
    """The same for people, in sentences."""
    token, btc = titles
    first, last = _day(study.betas[0].at_ns), _day(study.betas[-1].at_ns)
    shares = ", ".join(f"{regime} {share:.1%}" for regime, share in study.shares().items())
    return [
        f"{token} against {btc}: {len(study.betas)} bars of {study.span} in both, {first} to "
        f"{last}; {study.returns} returns, {study.holes} lost to holes",
        *_fit_lines(study),
        f"regime of {btc} at the end: {study.regimes[-1].regime}",
        f"share of bars: {shares}",
    ]


def _fit_lines(study: BetaStudy) -> list[str]:
    fit, hedge, rules = study.last, study.hedge, study.rules.beta
    if fit is None or hedge is None:
        return [f"no beta: {rules.bars_min} returns are the least, and both markets must move"]
    return [
        f"beta {fit.beta:.3f} (standard error {fit.beta_error:.3f}), correlation "
        f"{fit.correlation:.3f} ({fit.correlation_error:.3f}); a return counts half after "
        f"{rules.half_life_bars:g} bars",
        f"hedge: sell {hedge.ratio:.3f} of BTC for each 1 of token held, by value; "
        f"{hedge.residual_share:.0%} of the volatility stays",
    ]


def _rules(
    token: list[Candle], btc: list[Candle], files: tuple[Path, Path], playbook: Path | None
) -> StudyRules:
    span, btc_span = span_of(token, str(files[0])), span_of(btc, str(files[1]))
    if span != btc_span:
        raise UserError(f"{files[0]}: bars of {span}, but {files[1]} has bars of {btc_span}")
    if playbook is None:
        return usual_rules(span)
    known = load_playbook(_text(playbook), str(playbook)).numbers.outlook
    frames = [frame for frame in known.beta if frame.span == span]
    if not frames or known.regime.span != span:
        raise UserError(f"{playbook}: outlook: no beta or no regime on bars of {span}")
    return StudyRules(beta=frames[0], correlation=known.correlation, regime=known.regime)


def _page(study: BetaStudy, titles: tuple[str, str]) -> str:
    """Drawing takes a second to import, so only a page pays for it."""
    try:
        pictures = import_module("engine.cli.study_pictures")
    except ModuleNotFoundError as error:
        raise UserError(f'--html needs {error.name}: pip install "ballast[research]"') from error
    page: str = pictures.beta_page(study, titles, lines_of(study, titles))
    return page


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from error


def _text(file: Path) -> str:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise UserError(f"{file}: larger than {FILE_BYTES_MAX} bytes")
        return content.decode()
    except (OSError, EOFError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: byte {error.start} is not UTF-8 text") from error


def _title(file: Path) -> str:
    """BTT from BTT_USDT-1h.json.gz."""
    return file.name.split(".")[0].split("-")[0].replace("_", "/")


def _day(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / NS_PER_S, UTC):%Y-%m-%d}"
