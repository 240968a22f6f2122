"""A market's playbook and its numbers, made into advice. Only imported where a market has one."""

from engine.runtime.config import MarketConfig
from engine.signals.ratings import RatingsParams
from engine.signals.spans import span_of
from engine.signals.votes import Rules
from engine.trading.counsel import Counsel, CounselSetup
from engine.trading.playbook import Playbook
from engine.trading.playbook_file import load_playbook
from engine.treasury.bands import Bands
from engine.values.errors import UserError
from engine.values.instrument import Instrument


def counsel_of(
    market: MarketConfig, instrument: Instrument, bands: Bands, playbook: Playbook
) -> Counsel:
    """Raises UserError where a number of the playbook does not fit the instrument."""
    setup = CounselSetup(
        instrument=instrument,
        bands=bands,
        technical=_ratings_params(market),
        broad=market.broad,
        playbook=playbook,
    )
    try:
        return Counsel(setup)
    except ValueError as error:
        raise UserError(f"{market.playbook}: {error}") from error


def playbook_of(market: MarketConfig, texts: dict[str, str]) -> Playbook:
    """The market's playbook, proved. Raises UserError with a line for each mistake in it."""
    return load_playbook(texts[market.playbook], market.playbook)


def _ratings_params(market: MarketConfig) -> RatingsParams | None:
    wanted = market.technical
    if wanted is None:
        return None
    return RatingsParams(
        spans_ns=tuple(span_of(name) for name in wanted.timeframes),
        policy_span_ns=span_of(wanted.policy),
        rules=Rules(wanted.rules),
        votes_min=wanted.votes_min,
        bars_min=wanted.bars_min,
        stale_bars=wanted.stale_bars,
    )
