"""What a config names, loaded: every strategy with its params, every venue's options."""

from engine.cli.adapters import Options, options_of
from engine.runtime.config import Config
from engine.runtime.plugins import LoadedStrategy, load_strategy
from engine.values.errors import UserError


def load_all(config: Config, name: str) -> list[LoadedStrategy]:
    """Every market's strategy, in order. Raises UserError with all that is wrong, one a line."""
    loaded, mistakes = [], []
    for index, market in enumerate(config.markets):
        try:
            loaded.append(load_strategy(market.strategy, market.params, f"markets[{index}]"))
        except UserError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        raise UserError("\n".join(f"{name}: {mistake}" for mistake in mistakes))
    return loaded


def venue_options(config: Config, name: str) -> dict[str, Options]:
    """What the adapter is told of each venue. Raises UserError with all that is wrong."""
    options: dict[str, Options] = {}
    mistakes: list[str] = []
    for index, venue in enumerate(config.venues):
        found, problems = options_of(venue, f"venues[{index}]")
        mistakes += problems
        if found is not None:
            options[venue.name] = found
    if mistakes:
        raise UserError("\n".join(f"{name}: {mistake}" for mistake in mistakes))
    return options
