"""The chain of a config's treasury, joined to a running engine. Imported where there is one."""

from engine.cli.assemble import Chains
from engine.runtime.chain_file import NAME, open_chain
from engine.runtime.chain_watch import ChainWatch, Driver
from engine.runtime.config import Config
from engine.runtime.live import Live
from engine.runtime.treasury_start import file_in
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.chain_params import ChainSection
from engine.values.errors import UserError
from engine.values.ports import Chain, Clock


def check_chain(config: Config, bring: Chains | None) -> None:
    """Raises UserError where `[chain]` names places and nothing fulfils its port."""
    assert config.treasury is not None
    section = file_in(config.treasury, config.treasury_texts).chain
    is_lacking = section is not None and section.simulated is None and bring is None
    if config.treasury.roster and is_lacking:
        why = "chain.simulated: missing, and no other chain is shipped"
        raise UserError(f"{config.treasury.file}: {why}")


def watch_chain(config: Config, live: Live, bring: Chains | None) -> None:
    """Raises UserError where a place of `[chain]` has nothing behind it."""
    work = live.engine.neighbours.treasurer
    assert config.treasury is not None
    if not isinstance(work, TreasuryWork) or work.chain is None:
        return
    file = file_in(config.treasury, config.treasury_texts)
    section = work.chain.work.section
    if bring is not None:
        chains = bring(live.clock)
    else:
        exponents = {asset.name: asset.exponent for asset in file.assets}
        exponents[file.money.name] = file.money.exponent
        chains = _simulated(section, config, exponents, live.clock)
    if missing := [place for place in section.places if place not in chains]:
        raise UserError(f'{config.treasury.file}: chain.places: no chain holds "{missing[0]}"')
    driver = Driver(begun=work.chain, durable=live.durable, clock=live.clock, tell=live.warn)
    live.files["chain"] = ChainWatch(section, chains, driver).watch


def _simulated(
    section: ChainSection, config: Config, exponents: dict[str, int], clock: Clock
) -> dict[str, Chain]:
    assert section.simulated is not None, "checked before"
    path = config.data_path / NAME
    return {section.places[0]: open_chain(path, section.simulated, exponents, clock.now_ns)}
