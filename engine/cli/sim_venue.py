"""What a strategy author's tests hold: a clock moved by hand, a venue on it, and a replay."""

import tomllib
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from engine.cli.backtest_data import Data, data_of
from engine.cli.backtest_run import (
    OpeningWords,
    Ran,
    Wanted,
    accounts_of,
    engine_over,
    run_backtest,
)
from engine.cli.new_market import SPECS, START_NS
from engine.cli.new_strategy import filled
from engine.runtime.config import Config, load_config, parse_config
from engine.sim.market_presets import PRESETS, Preset
from engine.sim.synthetic import Crowd, Span, recorded
from engine.sim.trial import WAY_NS, Trial
from engine.sim.trial_faults import strike
from engine.trading.strategy import View
from engine.values.errors import UserError
from engine.values.events import Event, Fill, Resume
from engine.values.instrument import Instrument
from engine.values.records import Decision
from engine.values.step import Step
from engine.values.units import NS_PER_S, Lot, Ns, Side, Tick

IDLE = "strategies.idle:IdleStrategy"
THIN = "btt-thin"
SETTLE_S = 3.0
REPLAY_S = 120.0


class Clock:
    """The only time there is. It stands until it is moved, and moves whatever hangs on it."""

    def __init__(self) -> None:
        self.now_ns: Ns = START_NS
        self._movers: list[Callable[[Ns], None]] = []

    def __repr__(self) -> str:
        return f"<clock {(self.now_ns - START_NS) / NS_PER_S:.3f} s>"

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and everything happen that falls into it."""
        assert seconds >= 0, "time does not go back"
        self.now_ns += round(seconds * NS_PER_S)
        for mover in self._movers:
            mover(self.now_ns)

    def moves(self, mover: Callable[[Ns], None]) -> None:
        """Call it with the new moment whenever time has passed."""
        self._movers.append(mover)


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One of our orders as the venue holds it; `lots` is what is left of it."""

    side: Side
    tick: Tick
    lots: Lot


class SimVenue:
    """A venue with one synthetic market, and the live engine quoting in it by some strategy.

    Nothing is quoted until `trade`. Every number is the venue's own, not the engine's belief.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.decisions: list[Decision] = []
        self.alerts: list[Any] = []
        self._trial: Trial | None = None
        clock.moves(self._passed)

    def __repr__(self) -> str:
        if self._trial is None:
            return "<sim venue, nothing quoted>"
        return f"<sim venue {self._trial.market} {self.state}: {self.reason or 'fine'}>"

    def trade(self, what: Path | str | type[Any], seed: int = 0, **params: Any) -> None:
        """Quote from now on, by a config file or by a strategy class; the market begins anew.

        `params` change those of the config, or are those of the class. Raises UserError.
        """
        config = _config_of(what, params)
        item, preset = market_of(config)
        crowd = Crowd(item, preset, seed)
        data = _synthetic(item, lambda: [crowd.snapshot(self.clock.now_ns)], "")
        accounts, _ = accounts_of(config, data, Wanted())
        engine = engine_over(config, config.name, data)
        self.decisions, self.alerts = [], []
        self._trial = Trial(engine, accounts[item.venue], crowd, self._watch)
        self._trial.begin(self.clock.now_ns, OpeningWords(config, data))

    def strike(self, fault_id: str, seconds: float | None = None) -> None:
        """Begin a fault by its id ("F01"); it ends by itself. Raises UserError for another id."""
        strike(self.trial, fault_id, seconds)

    def resume(self) -> None:
        """A person lets the market go on after a halt or a freeze."""
        trial = self.trial
        trial.hear(Resume(market=trial.market, at_ns=trial.now_ns, who="the test", reason="back"))

    def view(self, **changes: Any) -> View:
        """What a strategy would be shown now, with any of its fields changed."""
        if self._trial is None:
            self.trade(IDLE)
            self.clock.pass_s(SETTLE_S)
        shown = self.trial.engine.makers[self.trial.market].view
        assert shown is not None, "nothing has been seen yet: let some time pass"
        return msgspec.structs.replace(shown, **changes)

    # --- what the venue holds -------------------------------------------------------------------

    @property
    def trial(self) -> Trial:
        assert self._trial is not None, "nothing is quoted yet: call sim_venue.trade(...) first"
        return self._trial

    @property
    def orders(self) -> list[OpenOrder]:
        """Open orders of ours, oldest first."""
        return [
            OpenOrder(side=each.place.side, tick=each.place.tick, lots=each.left_lots)
            for each in self.trial.account.open_orders()
        ]

    @property
    def fills(self) -> list[Fill]:
        return self.trial.account.fills[self.trial.market]

    @property
    def position_lots(self) -> Lot:
        item = self.trial.instrument
        return self.trial.account.base_atoms(item.market) // item.lot_base_atoms

    @property
    def state(self) -> str:
        """QUOTING, PULLED, HALTED …, as `ballast status` says it."""
        return self.trial.engine.makers[self.trial.market].state[0].value

    @property
    def reason(self) -> str:
        """Why it is in that state."""
        return self.trial.engine.makers[self.trial.market].state[1]

    def check(self) -> None:
        """Raise AssertionError where the venue's orders, book and money disagree."""
        if self._trial is not None:
            self._trial.account.check()

    def _passed(self, now_ns: Ns) -> None:
        if self._trial is not None:
            self._trial.pass_until(now_ns)

    def _watch(self, _: Event, step: Step) -> None:
        self.alerts += step.alerts
        self.decisions += [record for record in step.records if isinstance(record, Decision)]


def replayed(config: Path | str | type[Any], *data: Path, seed: int = 0, **params: Any) -> Ran:
    """A back-test, run twice: AssertionError at the first decision in which the runs differ.

    Without `data` it is two minutes of a synthetic market, `seed` its own. Raises UserError.
    """
    first, second = (_back_tested(config, data, seed, params) for _ in range(2))
    for market, tally in first.result.markets.items():
        others = second.result.markets[market].decisions
        for number, (one, other) in enumerate(zip_longest(tally.decisions, others), 1):
            assert one == other, f"{market}: decision {number} differs: {one} then {other}"
    assert first.result.digest == second.result.digest, "the two runs differ in what they journal"
    return first


def _back_tested(
    what: Path | str | type[Any], data: tuple[Path, ...], seed: int, params: dict[str, Any]
) -> Ran:
    config = _config_of(what, params)
    if data:
        return run_backtest(config, config.name, data_of(config, list(data), 0), Wanted(seed=seed))
    item, preset = market_of(config)
    span = Span(start_ns=START_NS, end_ns=START_NS + round(REPLAY_S * NS_PER_S), feed_ns=WAY_NS)
    facts = list(recorded(Crowd(item, preset, seed), span))
    found = _synthetic(item, lambda: facts, f"synthetic market {preset.name}, seed {seed}")
    return run_backtest(config, config.name, found, Wanted(seed=seed))


def _synthetic(item: Instrument, facts: Callable[[], Any], hash_: str) -> Data:
    return Data(
        instruments={item.market: item},
        facts=facts,
        opening={},
        kind="synthetic market",
        hash=hash_,
        notes=["a synthetic market: it shows that a strategy works, not that it earns"],
    )


def _config_of(what: Path | str | type[Any], params: dict[str, Any]) -> Config:
    """A config file as it is, or the template's market with this strategy in it."""
    if isinstance(what, Path):
        config = load_config(what)
        if not params:
            return config
        markets = [
            msgspec.structs.replace(market, params={**market.params, **params})
            for market in config.markets
        ]
        return msgspec.structs.replace(config, markets=markets)
    spec = what if isinstance(what, str) else f"{what.__module__}:{what.__qualname__}"
    table = tomllib.loads(filled("config.toml.tmpl", {"name": "trial", "cls": "Trial"}))
    table["markets"][0] |= {"strategy": spec, "params": params}
    return parse_config(tomlkit.dumps(table), spec)


def market_of(config: Config) -> tuple[Instrument, Preset]:
    """The config's first market with a synthetic crowd: its own preset, or thin prices for any."""
    market = config.markets[0]
    by_symbol = {made().instrument().symbol: name for name, made in SPECS.items()}
    name = by_symbol.get(market.symbol, THIN)
    base, _, quote = market.symbol.partition(":")[0].partition("/")
    if not quote:
        raise UserError(f"{market.symbol}: a symbol like BTT/USDT is wanted")
    item = msgspec.structs.replace(
        SPECS[name]().instrument(),
        symbol=market.symbol,
        venue=market.venue,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
    )
    return item, PRESETS[name]
