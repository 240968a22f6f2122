"""A config's treasury, made ready to rule its markets. Only imported where there is one."""

from collections.abc import Iterator

from engine.runtime.authority_file import authority_in
from engine.runtime.config import Config, config_hash
from engine.runtime.signing import verify
from engine.runtime.treasury_facts import scheme_of
from engine.runtime.treasury_file import TreasuryFile
from engine.runtime.treasury_start import file_in, start_facts
from engine.trading.action_work import ActionWork, Asking
from engine.trading.chain_work import ChainWork
from engine.trading.conversion_work import ConversionWork, WorkSetup
from engine.trading.steward import Steward
from engine.trading.treasurer import Treasurer
from engine.trading.treasury_told import name_of
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.action_desk import ActionDesk
from engine.treasury.authority import Authority
from engine.treasury.facts import Scheme
from engine.treasury.params import PlaceKind
from engine.treasury.rebalance import Rebalancer
from engine.treasury.treasury import Treasury
from engine.values.errors import UserError
from engine.values.instrument import Instrument


def steward_of(config: Config, instruments: dict[str, Instrument]) -> Treasurer:
    """Raises UserError where a market does not fit the treasury, a line for each mistake."""
    assert config.treasury is not None
    file = file_in(config.treasury, config.treasury_texts)
    scheme = scheme_in(config)
    if problems := list(_problems(config, instruments, scheme)):
        raise UserError("\n".join(f"{config.treasury.file}: {problem}" for problem in problems))
    treasury = Treasury(scheme, file.liquid, file.scores)
    facts = start_facts(config.treasury, config.treasury_texts, 0)
    names = [name_of(fact) for fact in facts]
    authority = authority_in(file) if config.treasury.roster else None
    if authority is None:  # nobody may sign: bands are watched and told, and nothing is traded
        return Steward(treasury, names, _rebalancer(file))
    return _at_work(config, file, Steward(treasury, names), authority)


def scheme_in(config: Config) -> Scheme:
    """The assets, places and buckets of a config that has a treasury."""
    assert config.treasury is not None
    return scheme_of(file_in(config.treasury, config.treasury_texts))


def _rebalancer(file: TreasuryFile) -> Rebalancer | None:
    return None if file.rebalance is None else Rebalancer(file.rebalance)


def _at_work(
    config: Config, file: TreasuryFile, steward: Steward, authority: Authority
) -> TreasuryWork:
    """With people who may sign the treasury acts, too."""
    wanted = config.treasury
    assert wanted is not None
    conversions = None
    if file.execution is not None:
        setup = WorkSetup(
            params=file.execution,
            rows=tuple(wanted.conversions),
            config_hash=config_hash(config),
        )
        conversions = ConversionWork(setup)
    asking = Asking(
        function=wanted.function or authority.functions[0], code=wanted.code or authority.codes[0]
    )
    desk = ActionDesk(authority, verify)
    scheme = steward.treasury.holdings.scheme
    chain = None if file.chain is None else ChainWork(file.chain, scheme)
    return TreasuryWork(steward, ActionWork(desk, _rebalancer(file), asking), conversions, chain)


def _problems(config: Config, instruments: dict[str, Instrument], scheme: Scheme) -> Iterator[str]:
    """A market spends only what a bucket releases, so the file must know what it trades.

    A market that only covers another is free: its asset may be none of the treasury's.
    """
    covering = {way.market for market in config.markets for way in market.hedge}
    for market in config.markets:
        item = instruments[market.market]
        if item.base not in scheme.assets:
            if item.market not in covering:
                yield f"assets: no {item.base}, which {item.market} trades"
            continue
        place = scheme.places.get(item.venue)
        if place is None or place.kind is not PlaceKind.VENUE:
            yield f'places: no venue "{item.venue}", where {item.market} is'
        unit = 10 ** max(0, item.base_exponent - scheme.assets[item.base].exponent)
        if item.lot_base_atoms % unit:
            yield f"assets.{item.base}.exponent: a lot of {item.market} is no whole number of atoms"
