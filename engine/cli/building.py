"""An engine from a config and what its venues said: for a run, a replay and a back-test alike."""

import importlib
from collections.abc import Iterable
from typing import Any, get_args

import msgspec

from engine.core import Engine, EngineParams
from engine.runtime.config import TREASURY_START, Config, MarketConfig, bands_of
from engine.runtime.plugins import LoadedStrategy
from engine.trading.quoter import MarketSetup
from engine.trading.treasurer import Treasurer
from engine.values.action_records import ActionRecord, ActionWord
from engine.values.events import RatingSet
from engine.values.execution_records import ExecutionRecord
from engine.values.instrument import Instrument
from engine.values.ledger_words import LedgerWord
from engine.values.rebalance_records import RebalanceRecord
from engine.values.records import Record
from engine.values.treasury_words import TreasuryFact
from engine.values.units import NS_PER_S, Ns

REMEMBERED = (
    "Opening", "Adjusted", "OrderIntent", "OrderReport", "OrderFailed", "CancelFailed",
    "OrderAbsent", "Fill", "Cancel", "CancelAll", "RatingSet", "Halt", "Resume", "StateChanged",
    "Ruled", "HedgeMoved", "HedgeSent", "HedgeRefused", "HedgeVenue",
    "ObligationSet", "ObligationPaid", "LockSet", "FloatSet", "LimitsSet", "LimitWidened",
    "PriceReviewed", "LimitMoved",
    *(kind.__name__ for kind in get_args(ActionRecord | ExecutionRecord | RebalanceRecord)),
    *(kind.__name__ for kind in get_args(LedgerWord)),
)  # fmt: skip
"""Records that a start joins again; the others explain, and are for people."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is built of. `instruments` by market, those that are watched among them."""

    config: Config
    loaded: list[LoadedStrategy]
    instruments: dict[str, Instrument]
    params: EngineParams
    own_orders_show: bool = True


def build_engine(parts: Parts, past: Iterable[Record] = ()) -> Engine:
    """What a config leaves out, playbooks or a treasury, costs nothing, not even an import."""
    setups = [
        _setup(parts, market, strategy)
        for market, strategy in zip(parts.config.markets, parts.loaded, strict=True)
    ]
    watched = [
        parts.instruments[item.market]
        for item in parts.config.watched
        if item.market in parts.instruments
    ]
    return Engine(setups, parts.params, past, watched, _steward(parts))


def treasury_facts(config: Config, now_ns: Ns) -> list[TreasuryFact]:
    """What the files of the config's treasury say at a start; nothing without one."""
    if config.treasury is None:
        return []
    starting: Any = importlib.import_module(TREASURY_START)
    facts: list[TreasuryFact] = starting.start_facts(config.treasury, config.treasury_texts, now_ns)
    return facts


def desk_words(config: Config, now_ns: Ns) -> list[ActionWord]:
    """The policy and the roster that the config's treasury loads at a start."""
    if config.treasury is None:
        return []
    starting: Any = importlib.import_module(TREASURY_START)
    words: list[ActionWord] = starting.desk_words(config.treasury, config.treasury_texts, now_ns)
    return words


def _steward(parts: Parts) -> Treasurer | None:
    if parts.config.treasury is None:
        return None
    stewarding: Any = importlib.import_module("engine.cli.stewarding")
    steward: Treasurer = stewarding.steward_of(parts.config, parts.instruments)
    return steward


def rating_of(market: MarketConfig, now_ns: Ns) -> RatingSet:
    """The rating that the config sets at a start."""
    assert market.rating is not None
    return RatingSet(
        market=market.market,
        at_ns=now_ns,
        label=market.rating.label,
        expires_ns=now_ns + int(market.rating.ttl_s * NS_PER_S),
        source="config",
    )


def _setup(parts: Parts, market: MarketConfig, loaded: LoadedStrategy) -> MarketSetup:
    instrument = parts.instruments[market.market]
    bands = bands_of(market, instrument)
    advice, hedge = None, None
    if market.playbook:
        counselling: Any = importlib.import_module("engine.cli.counselling")
        playbook = counselling.playbook_of(market, parts.config.playbooks)
        advice = counselling.counsel_of(market, instrument, bands, playbook)
        hedge = playbook.numbers.hedge
    return MarketSetup(
        instrument=instrument,
        bands=bands,
        rows=market.risk,
        strategy=loaded.strategy,
        strategy_name=f"{loaded.name} {loaded.file_hash[:12]}",
        features=market.features.params(),
        snapshot_share_ppm=market.snapshot_share_ppm,
        own_orders_show=market.own_orders_show and parts.own_orders_show,
        advice=advice,
        ways=tuple(market.hedge),
        hedge=hedge,
        others=tuple(market.others),
    )
