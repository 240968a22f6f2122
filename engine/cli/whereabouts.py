"""Where `--at` points: a config, a data directory or a file in one. One answer for every verb."""

from pathlib import Path

import msgspec

from engine.runtime.action_driver import JOURNAL_NAME as DESK_NAME
from engine.runtime.config import JOURNAL_NAME, SOCKET_NAME, Config, load_config
from engine.runtime.config_base import whole_table
from engine.runtime.journal_reader import read
from engine.values.errors import UserError

NEITHER = "neither a config (.toml) nor a data directory"
NO_DESK = (
    "no desk of actions is here: an engine has one where its config names a roster, and one of "
    "your own begins with: ballast treasury roster load ROSTER --at DIR --file TREASURY"
)
WANTED = "a config (.toml) or a data directory"
POLICY = "AuthoritySet"
"""The first record of every desk of actions: whoever's journal has it keeps the desk."""


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True):
    """`home` holds the journals and the socket, or will; `config` is None for a directory."""

    at: Path
    home: Path
    config: Config | None

    @property
    def socket(self) -> Path:
        return self.home / SOCKET_NAME

    @property
    def journal(self) -> Path:
        """The engine's, whether it is there or not."""
        return self.home / JOURNAL_NAME

    @property
    def keeps_desk(self) -> bool:
        """Whether the engine's own journal keeps the desk of actions. Raises UserError."""
        if not self.journal.exists():
            return False
        return any(True for _ in read(self.journal, kinds=(POLICY,), limit=1))

    @property
    def desk_journal(self) -> Path:
        """The journal of the desk: the engine's, where it has one, else a desk's own."""
        return self.journal if self.keeps_desk else self.home / DESK_NAME

    def kept_desk(self) -> Path:
        """The same where a desk has been kept. Raises UserError where none ever was."""
        path = self.desk_journal
        if not path.exists():
            raise UserError(f"{self.at}: {NO_DESK}")
        return path


def whereabouts(at: Path, *, may_be_new: bool = False) -> Whereabouts:
    """Raises UserError for anything else, and for a config with a mistake while no engine runs.

    With `may_be_new` a directory that is not there yet is one, too.
    """
    if at.is_dir():
        return Whereabouts(at=at, home=at, config=None)
    if at.suffix == ".toml":
        return _configured(at)
    if at.is_file() and at.name in (JOURNAL_NAME, DESK_NAME):
        return Whereabouts(at=at, home=at.parent, config=None)
    if may_be_new and not at.exists():
        return Whereabouts(at=at, home=at, config=None)
    raise UserError(f"{at}: {NEITHER}" if at.exists() else f"{at}: is not there; wanted: {WANTED}")


def _configured(at: Path) -> Whereabouts:
    """A mistake that somebody made meanwhile, in the config or in a file that it names, must not
    keep people from the engine that runs: to halt it takes the name of its directory alone."""
    try:
        config = load_config(at)
    except UserError:
        named = whole_table(at)[0].get("data_dir")
        home = Path(named) if isinstance(named, str) and named.strip() else None
        if home is None or not (home / SOCKET_NAME).is_socket():
            raise
        return Whereabouts(at=at, home=home, config=None)
    return Whereabouts(at=at, home=config.data_path, config=config)
