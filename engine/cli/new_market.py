"""`ballast new market`: a synthetic market written as if it had been recorded from a venue."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, assert_never

import msgspec
import typer

from adapters.loopback.config import btc_usdt, btt_usdt
from engine.cli.show import as_json, as_text
from engine.sim.market_presets import PRESETS
from engine.sim.synthetic import Crowd, Public, Span, recorded
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookSnapshot, TopOfBook, Trade
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, Levels, Ns, Side

SPECS = {"btt-thin": btt_usdt, "liquid": btc_usdt}
START_NS = 1_735_689_600 * NS_PER_S
"""2025-01-01 00:00 UTC: any moment does, but the same one every time."""
FEED_NS = 5 * NS_PER_MS
MINUTES_MAX = 24 * 60


def market(
    file: Annotated[Path, typer.Argument(help="Where to write it, like market.gz.")],
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "btt-thin",
    minutes: Annotated[float, typer.Option(help="How much of it.")] = 10.0,
    seed: Annotated[int, typer.Option(help="The same seed is the same market.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Write a synthetic market as a wire capture of Binance spot: the first data to test on.

    Nobody's money was in it: it shows whether a strategy works, never whether it earns.
    """
    if preset not in SPECS:
        raise UserError(f"--preset {preset!r} is none of {', '.join(SPECS)}")
    if not 0 < minutes <= MINUTES_MAX:
        raise UserError(f"--minutes {minutes:g}: more than 0 and at most {MINUTES_MAX} are wanted")
    if file.exists():
        raise UserError(f"{file}: is there already")
    instrument = SPECS[preset]().instrument()
    facts = facts_of(preset, seed, round(minutes * 60 * NS_PER_S))
    count = write_capture(file, instrument, facts)
    answer = {"file": str(file), "market": instrument.symbol, "frames": count, "minutes": minutes}
    if json:
        as_json(answer)
    else:
        as_text(f"{file}: {count:,} frames of {instrument.symbol}, {minutes:g} minutes")


def facts_of(preset: str, seed: int, span_ns: Ns) -> Iterator[Public]:
    """A market by the name of its preset, from START_NS on."""
    crowd = Crowd(SPECS[preset]().instrument(), PRESETS[preset], seed)
    return recorded(crowd, Span(start_ns=START_NS, end_ns=START_NS + span_ns, feed_ns=FEED_NS))


def write_capture(file: Path, instrument: Instrument, facts: Iterator[Public]) -> int:
    """`<ns> <json>` lines, packed, the same bytes for the same facts. Raises UserError."""
    count = 0
    try:
        with file.open("xb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            for fact in facts:
                count += 1
                frame = msgspec.json.encode(_frame(instrument, fact))
                packed.write(b"%d %s\n" % (fact.at_ns, frame))
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from error
    return count


def _frame(item: Instrument, fact: Public) -> dict[str, Any]:
    """As the venue writes it, on the stream on which it comes."""

    def rows(levels: Levels) -> list[tuple[str, str]]:
        return [(item.price_text(tick), item.size_text(lots)) for tick, lots in levels]

    at_ms, symbol, number = fact.venue_ns // NS_PER_MS, item.venue_symbol, 0
    if not isinstance(fact, Trade):
        number = fact.sequence
    match fact:
        case BookSnapshot():
            return {"lastUpdateId": number, "bids": rows(fact.bids), "asks": rows(fact.asks)}
        case BookDelta():
            body = {"e": "depthUpdate", "E": at_ms, "s": symbol, "U": number, "u": number}
            return _on(item, "depth@100ms", body | {"b": rows(fact.bids), "a": rows(fact.asks)})
        case TopOfBook():
            bid, ask = (fact.bid_tick, fact.bid_lots), (fact.ask_tick, fact.ask_lots)
            (b, bs), (a, as_) = rows([bid])[0], rows([ask])[0]
            return _on(
                item, "bookTicker", {"u": number, "s": symbol, "b": b, "B": bs, "a": a, "A": as_}
            )
        case Trade():
            size = rows([(fact.tick, fact.lots)])[0]
            body = {"e": "trade", "E": at_ms, "s": symbol, "t": fact.trade_id}
            is_maker = fact.aggressor is Side.SELL
            return _on(
                item, "trade", body | {"p": size[0], "q": size[1], "T": at_ms, "m": is_maker}
            )
        case _:
            assert_never(fact)


def _on(item: Instrument, stream: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"stream": f"{item.venue_symbol.lower()}@{stream}", "data": body}
