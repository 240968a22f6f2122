"""`ballast backtest`: the engine of a config on recorded markets, against simulated fills."""

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.assemble import _setups
from engine.cli.backtest_data import Data, data_of, first_mids
from engine.cli.backtest_flags import latency_of, queue_of
from engine.cli.loading import load_all
from engine.cli.progress import shown
from engine.cli.show import as_json, as_text
from engine.core import Engine, EngineParams
from engine.runtime.config import Config, MarketConfig, config_hash, load_config
from engine.sim.account import Account
from engine.sim.account_orders import exponents_of
from engine.sim.backtest import Backtest, Params, Result
from engine.sim.matching.queue import QueueModel
from engine.sim.tally import MarketTally
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.reconcile import ReconcileParams
from engine.values.errors import UserError
from engine.values.events import Event, RatingSet
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, PPM, Atoms, Ns, decimal_text, scaled


def backtest(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]", help="More files of --data.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Data directories, recordings or wire captures.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all chance in the run.")] = 0,
    queue: Annotated[
        str, typer.Option(help="Queue model: power:N, log or risk-averse.")
    ] = "power:1",
    latency: Annotated[
        str, typer.Option(help="UP[,DOWN]: 5ms, lognormal:5ms:0.5 or table:FILE.")
    ] = "5ms",
    feed: Annotated[str, typer.Option(help="Age of a public fact when it was recorded.")] = "5ms",
    fees: Annotated[str, typer.Option(help="MAKER,TAKER in ppm, instead of the venue's.")] = "",
    balance: Annotated[str, typer.Option(help="Opening money like BTC=1,USDT=500.")] = "",
    epoch: Annotated[int, typer.Option(help="Which session of a data directory.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Run CONFIG on recorded markets: same strategy, gate and orders as live, fills simulated."""
    paths = [*(data or []), *(more or [])]
    if not paths:
        raise UserError("--data: name what to run on")
    loaded = load_config(config)
    model, delays = queue_of(queue), latency_of(latency, feed)
    found = data_of(loaded, paths, epoch)
    if fees:
        found = _with_fees(found, fees)
    accounts, money = _accounts(loaded, found, model, balance)
    engine = _engine(loaded, str(config), found)
    run = Backtest(engine, accounts, Params(seed=seed, latency=delays))
    began_s = time.perf_counter()
    result = run.run(shown(found.facts()), _Opening(loaded, found))
    spent_s = time.perf_counter() - began_s
    assumed = {
        "queue": queue,
        "latency": latency,
        "feed": feed,
        "fees_ppm": {
            market: [item.maker_fee_ppm, item.taker_fee_ppm]
            for market, item in found.instruments.items()
        },
        "opening": money,
        "seed": seed,
        "data": found.kind,
        "data_hash": found.hash,
        "config_hash": config_hash(loaded),
        "notes": found.notes,
        "not_modelled": result.not_modelled,
    }
    answer = summary(result, found.instruments, spent_s) | {"assumed": assumed}
    if json:
        as_json(answer)
    else:
        as_text(*_lines(answer))


class _Opening:
    """The config's own ratings, told at the start; iterated once the data has a first moment."""

    def __init__(self, config: Config, data: Data) -> None:
        self._config = config
        self._data = data

    def __iter__(self) -> "Any":
        first_ns = next((fact.at_ns for fact in self._data.facts()), 0)
        for market in self._config.markets:
            if market.rating is not None and market.market in self._data.instruments:
                yield _rating(market, first_ns)


def _rating(market: MarketConfig, now_ns: Ns) -> Event:
    assert market.rating is not None
    return RatingSet(
        market=market.market,
        at_ns=now_ns,
        label=market.rating.label,
        expires_ns=now_ns + int(market.rating.ttl_s * NS_PER_S),
        source="config",
    )


def _engine(config: Config, name: str, data: Data) -> Engine:
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
    setups = _setups(traded, [strategy for _, strategy in both], data.instruments)
    beside = [msgspec.structs.replace(each, own_orders_show=False) for each in setups]
    params = EngineParams(
        epoch=1,
        id_prefix=config.id_prefix,
        maker=MakerParams(config_hash=config_hash(config), reconcile=ReconcileParams()),
        keeper=KeeperParams(reconcile_every_ns=int(config.runtime.reconcile_s * NS_PER_S)),
        timer_ns=config.runtime.timer_ms * NS_PER_MS,
    )
    return Engine(beside, params)


# --- money --------------------------------------------------------------------------------------


def _accounts(
    config: Config, data: Data, model: QueueModel, balance: str
) -> tuple[dict[str, Account], dict[str, str]]:
    """An account a venue, and what it opens with as text."""
    accounts: dict[str, Account] = {}
    told: dict[str, str] = {}
    traded = {market.market for market in config.markets}
    for venue in dict.fromkeys(item.venue for item in data.instruments.values()):
        mine = [i for i in data.instruments.values() if i.venue == venue and i.market in traded]
        if not mine:
            continue
        exponents = exponents_of(mine)
        opening = data.opening.get(venue) or _targets(config, data, mine)
        opening |= _balances(balance, exponents)
        accounts[venue] = Account(mine, opening, model)
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
            raise UserError(f"--balance {pair!r} is not ASSET=amount of {exponents}") from error
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


def _with_fees(data: Data, text: str) -> Data:
    try:
        maker, taker = (int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--fees {text!r} is not MAKER,TAKER in ppm") from error
    if max(abs(maker), abs(taker)) > PPM:
        raise UserError(f"--fees {text!r}: more than the whole price")
    changed = {
        market: msgspec.structs.replace(item, maker_fee_ppm=maker, taker_fee_ppm=taker)
        for market, item in data.instruments.items()
    }
    return msgspec.structs.replace(data, instruments=changed)


# --- words --------------------------------------------------------------------------------------


def summary(result: Result, instruments: dict[str, Instrument], spent_s: float) -> dict[str, Any]:
    """The result for a script: amounts as decimal text in the quote asset."""
    return {
        "facts": result.facts,
        "processed": result.processed,
        "decided": result.decided,
        "data_s": (result.ended_ns - result.began_ns) / NS_PER_S,
        "seconds": spent_s,
        "facts_per_s": result.facts / spent_s if spent_s else 0.0,
        "digest": result.digest,
        "markets": [_market(tally, instruments[name]) for name, tally in result.markets.items()],
    }


def _market(tally: MarketTally, item: Instrument) -> dict[str, Any]:
    def money(atoms: Atoms) -> str:
        return decimal_text(atoms, item.quote_exponent)

    exponents = {item.base: item.base_exponent, item.quote: item.quote_exponent}
    return {
        "market": tally.market,
        "fills": len(tally.fills),
        "maker_fills": sum(fill.is_maker for fill in tally.fills),
        "decisions": len(tally.decisions),
        "placed": tally.placed,
        "cancelled": tally.cancelled,
        "refused": tally.refused,
        "profit": money(tally.profit_atoms),
        "drawdown": money(tally.drawdown_atoms),
        "spread_earned": money(tally.spread_atoms),
        "fees": {asset: decimal_text(a, exponents[asset]) for asset, a in tally.fees.items()},
        "turnover": money(tally.turnover_atoms),
        "bought_less_sold": item.size_text(tally.net_lots),
        "markouts": {
            f"{each.horizon_ns // NS_PER_S}s": {"bps": each.bps, "fills": each.fills}
            for each in tally.markouts
        },
        "curve_points": len(tally.curve),
    }


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = [
        f"{answer['facts']:,} facts of {answer['data_s']:,.0f} s in {answer['seconds']:.1f} s "
        f"({answer['facts_per_s']:,.0f} a second), digest {answer['digest']}"
    ]
    for market in answer["markets"]:
        lines.append(f"{market['market']}")
        marks = ", ".join(
            f"{name} {mark['bps']:+.2f} bp"
            for name, mark in market["markouts"].items()
            if mark["fills"]
        )
        rows = {k: v for k, v in market.items() if k not in ("market", "markouts")}
        lines += [f"  {name.replace('_', ' '):<17} {_plain(value)}" for name, value in rows.items()]
        lines.append(f"  {'markouts':<17} {marks}")
    lines.append("assumed")
    lines += [
        f"  {name.replace('_', ' '):<17} {value}" for name, value in answer["assumed"].items()
    ]
    return lines


def _plain(value: Any) -> str:
    """A list or a table in one line of words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)
