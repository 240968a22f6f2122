"""One back-test from a config, data and what is assumed: for the verb, a sweep or a tear sheet."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.cli.backtest_data import Data, first_mids
from engine.cli.backtest_flags import (
    is_recorded,
    latency_of,
    plugged_hash,
    queue_of,
    terms_of,
)
from engine.cli.backtest_ways import ways_of
from engine.cli.building import Parts, build_engine, desk_words, rating_of, treasury_facts
from engine.cli.loading import load_all
from engine.core import Engine, EngineParams
from engine.runtime.config import Config, config_hash
from engine.sim.account import Account
from engine.sim.account_orders import exponents_of
from engine.sim.backtest import Backtest, Params, Result, Watch
from engine.sim.trail import Trail
from engine.sim.venue_terms import Terms
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.reconcile import ReconcileParams
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, Atoms, decimal_text, scaled


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a back-test assumes, in the words of the command's flags; "" leaves it to the data."""

    seed: int = 0
    queue: str = "power:1"
    latency: str = "5ms"
    feed: str = "5ms"
    fees: str = ""
    turnover: str = "0"
    limits: str = "100/10s,200000/1d"
    balance: str = ""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A result, and all that it rests on."""

    result: Result
    trails: dict[str, Trail]
    instruments: dict[str, Instrument]
    assumed: dict[str, Any]
    seconds: float


def check_flags(wanted: Wanted) -> None:
    """Raises UserError where a word of `wanted` means nothing, whatever the data are."""
    queue_of(wanted.queue)
    latency_of("0ms" if is_recorded(wanted.latency) else wanted.latency, wanted.feed)
    _terms(wanted)


def run_backtest(
    config: Config, name: str, data: Data, wanted: Wanted, watch: Watch | None = None
) -> Ran:
    """Run `config`, whose file is `name`, on all of `data`. Raises UserError."""
    check_flags(wanted)
    delays = latency_of(
        wanted.latency, wanted.feed, lambda path: ways_of(data.sessions, path, wanted.latency)
    )
    found = _with_fees(data, _terms(wanted))
    accounts, money = accounts_of(config, found, wanted)
    engine = engine_over(config, name, found)
    run = Backtest(engine, accounts, Params(seed=wanted.seed, latency=delays), watch)
    began_s = time.perf_counter()
    result = run.run(found.shown(found.facts()), OpeningWords(config, found))
    fees = {m: [i.maker_fee_ppm, i.taker_fee_ppm] for m, i in found.instruments.items()}
    assumed = {
        **msgspec.structs.asdict(wanted),
        "fees": fees,
        "tiers": wanted.fees or "none",
        "balance": money,
        "data": found.kind,
        "data_hash": found.hash,
        "config_hash": config_hash(config),
        "notes": [*found.notes, *_queue_note(wanted.queue)],
        "not_modelled": result.not_modelled,
    }
    return Ran(
        result=result,
        trails=run.trails,
        instruments=found.instruments,
        assumed=assumed,
        seconds=time.perf_counter() - began_s,
    )


def _queue_note(queue: str) -> list[str]:
    digest = plugged_hash(queue)
    return [f"the queue model is of the file {digest[:12]}"] if digest else []


class OpeningWords:
    """The config's own ratings and its treasury's files, told at the start; iterated once the data
    has a first moment."""

    def __init__(self, config: Config, data: Data) -> None:
        self._config = config
        self._data = data

    def __iter__(self) -> Iterator[Event]:
        first_ns = next((fact.at_ns for fact in self._data.facts()), 0)
        yield from desk_words(self._config, first_ns)
        yield from treasury_facts(self._config, first_ns)
        for market in self._config.markets:
            if market.rating is not None and market.market in self._data.instruments:
                yield rating_of(market, first_ns)


def engine_over(config: Config, name: str, data: Data) -> Engine:
    """The engine over those markets of the config that the data holds."""
    both = [
        (market, strategy)
        for market, strategy in zip(config.markets, load_all(config, name), strict=True)
        if market.market in data.instruments
    ]
    if not both:
        there = ", ".join(data.instruments)
        raise UserError(f"{name}: no market of it is in the data; there are: {there}")
    traded = msgspec.structs.replace(config, markets=[market for market, _ in both])
    params = EngineParams(
        epoch=1,
        id_prefix=config.id_prefix,
        maker=MakerParams(config_hash=config_hash(config), reconcile=ReconcileParams()),
        keeper=KeeperParams(reconcile_every_ns=int(config.runtime.reconcile_s * NS_PER_S)),
        timer_ns=config.runtime.timer_ms * NS_PER_MS,
    )
    parts = Parts(
        config=traded,
        loaded=[strategy for _, strategy in both],
        instruments=data.instruments,
        params=params,
        own_orders_show=False,
    )
    return build_engine(parts)


# --- money --------------------------------------------------------------------------------------


def accounts_of(
    config: Config, data: Data, wanted: Wanted
) -> tuple[dict[str, Account], dict[str, str]]:
    """An account a venue, and what it opens with as text."""
    accounts: dict[str, Account] = {}
    told: dict[str, str] = {}
    model, terms = queue_of(wanted.queue), _terms(wanted)
    traded = {market.market for market in config.markets}
    for venue in dict.fromkeys(item.venue for item in data.instruments.values()):
        mine = [i for i in data.instruments.values() if i.venue == venue and i.market in traded]
        if not mine:
            continue
        exponents = exponents_of(mine)
        opened = data.opening.get(venue) or _targets(config, data, mine)
        opening = {**opened, **_balances(wanted.balance, exponents)}
        accounts[venue] = Account(mine, opening, model, terms)
        told |= {
            asset: decimal_text(atoms, exponents[asset])
            for asset, atoms in accounts[venue].atoms.items()
        }
    return accounts, told


def _balances(text: str, exponents: dict[str, int]) -> dict[str, Atoms]:
    found: dict[str, Atoms] = {}
    for pair in filter(None, text.split(",")):
        asset, _, amount = pair.partition("=")
        try:
            found[asset] = scaled(amount, exponents[asset])
        except (KeyError, ValueError) as error:
            known = ", ".join(exponents)
            raise UserError(f"--balance {pair!r} is not ASSET=amount of {known}") from error
    return found


def _targets(config: Config, data: Data, mine: list[Instrument]) -> dict[str, Atoms]:
    """The target of every market, and money to reach its cap at twice the first price."""
    exponents, opening = exponents_of(mine), dict.fromkeys(exponents_of(mine), 0)
    mids = first_mids(data.facts(), {item.market for item in mine})
    bands = {market.market: market.bands for market in config.markets}
    for item in mine:
        if item.market not in mids:
            raise UserError(f"--data: no whole book of {item.market} is in it")
        target, cap = (item.lots(getattr(bands[item.market], n)) for n in ("target", "cap"))
        money = item.quote_atoms(mids[item.market], cap - target)
        base_exponent, quote_exponent = item.base_exponent, item.quote_exponent
        opening[item.base] += item.base_atoms(target) * 10 ** (exponents[item.base] - base_exponent)
        opening[item.quote] += money * 10 ** (exponents[item.quote] - quote_exponent)
    return opening


def _terms(wanted: Wanted) -> Terms:
    return terms_of(wanted.fees, wanted.turnover, wanted.limits)


def _with_fees(data: Data, terms: Terms) -> Data:
    """What the strategy is told of fees is the tier that the run begins in."""
    if not terms.tiers:
        return data
    first = terms.tier(terms.turnover)
    changed = {
        market: msgspec.structs.replace(
            item, maker_fee_ppm=first.maker_ppm, taker_fee_ppm=first.taker_ppm
        )
        for market, item in data.instruments.items()
    }
    return msgspec.structs.replace(data, instruments=changed)
