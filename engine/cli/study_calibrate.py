"""`ballast study glft --data`: A, k and sigma of recorded markets, as the strategies take them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.cli.backtest_data import data_of, is_session
from engine.cli.data_sources import Order, on_one_clock, open_sources, wished
from engine.cli.progress import shown
from engine.cli.rebuild import config_of
from engine.market.book import Book
from engine.runtime.recording import sessions
from engine.sim.calibration import Calibrated, Calibration
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event, Trade
from engine.values.instrument import Instrument
from strategies.glft import GlftModel

GAMMA_SHARE = 0.1
"""Aversion to risk where none is wished, as a share of k: the spread is then hardly widened."""
DIGITS = 6
REASONS_MAX = 3


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """One market. `found` counts in its ticks and seconds, `tick` is what one of them costs."""

    market: str
    tick: str
    found: Calibrated

    def model(self, gamma: float | None) -> GlftModel:
        found = self.found
        aversion = GAMMA_SHARE * found.k if gamma is None else gamma
        return GlftModel(sigma=found.sigma, a=found.a, k=found.k, gamma=aversion)

    def params(self, gamma: float | None) -> dict[str, dict[str, float]]:
        """What goes into `[markets.params]`, by strategy; how large an order is, is your own."""
        model = self.model(gamma)
        shared = {
            "gamma": _short(model.gamma),
            "k": _short(model.k),
            "volatility_unknown": _short(model.sigma),
        }
        return {"glft": {"a": _short(model.a), **shared}, "avellaneda_stoikov": shared}

    def as_answer(self, gamma: float | None) -> dict[str, Any]:
        found = msgspec.structs.asdict(self.found)
        return {"market": self.market, "tick": self.tick, **found, "params": self.params(gamma)}


def fitted(paths: list[Path], market: str) -> list[Fitted]:
    """Every market of the recordings that holds enough, or the one that is named.

    Raises UserError where there is none.
    """
    instruments, facts = _opened(paths)
    if market and market not in instruments:
        there = ", ".join(sorted(instruments)) or "none"
        raise UserError(f"--market {market}: not in the data; there are: {there}")
    wanted = [market] if market else sorted(instruments)
    calibrations = {name: Calibration() for name in wanted}
    feed(calibrations, facts)
    found, reasons = [], []
    for name, calibration in calibrations.items():
        try:
            found.append(
                Fitted(
                    market=name, tick=instruments[name].price_text(1), found=calibration.fitted()
                )
            )
        except ValueError as error:
            reasons.append(f"{name}: {error}")
    if not found:
        more = [f"and {len(reasons) - REASONS_MAX} more"] if len(reasons) > REASONS_MAX else []
        told = "; ".join([*reasons[:REASONS_MAX], *more])
        raise UserError(f"--data: {told or 'no market is in it'}")
    return found


def feed(calibrations: dict[str, Calibration], facts: Iterable[Event]) -> None:
    """Keep the books, and tell of each new top and of each trade."""
    books = {market: Book() for market in calibrations}
    tops = dict.fromkeys(calibrations, (0, 0))
    for fact in facts:
        market = getattr(fact, "market", "")
        if market not in books:
            continue
        book = books[market]
        match fact:
            case Trade():
                moment_ns = fact.venue_ns or fact.at_ns
                calibrations[market].on_trade(
                    fact.at_ns, moment_ns, fact.tick, fact.lots, fact.aggressor
                )
                continue
            case BookSnapshot():
                book.apply_snapshot(fact.bids, fact.asks)
            case BookDelta():
                book.apply_delta(fact.bids, fact.asks)
            case BookLost():
                book.clear()
            case _:
                continue
        top = book.bid_tick, book.ask_tick
        if top != tops[market] and not book.is_crossed():
            tops[market] = top
            calibrations[market].on_top(fact.at_ns, *top)


def _opened(paths: list[Path]) -> tuple[dict[str, Instrument], Iterator[Event]]:
    if all(path.exists() and is_session(path) for path in paths):
        return _of_sessions(paths)
    sources = wished(open_sources(paths), {}, set())
    instruments = {item.market: item for each in sources for item in each.targets.values()}
    return instruments, iter(shown(on_one_clock(sources, Order.KEEP)))


def _of_sessions(paths: list[Path]) -> tuple[dict[str, Instrument], Iterator[Event]]:
    """The newest session of each path, without what we ourselves had in its books."""
    instruments: dict[str, Instrument] = {}
    found = []
    for path in paths:
        session = sessions(path)[-1]
        data = data_of(config_of(session.header), [path], session.header.epoch)
        instruments |= data.instruments
        found.append(data)
    return instruments, (fact for data in found for fact in shown(data.facts()))


def _short(number: float) -> float:
    """A fit is not known to more digits than these."""
    return float(f"{number:.{DIGITS}g}")
