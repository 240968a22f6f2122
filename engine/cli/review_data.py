"""What a review reads: the journal of a data directory, its recordings, and playbooks of then."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.cli.backtest_data import Data, data_of
from engine.cli.progress import shown
from engine.cli.rebuild import config_of
from engine.runtime.config import JOURNAL_NAME, Config, load_config
from engine.runtime.journal_reader import Row, read
from engine.runtime.recording import DIRECTORY_NAME, SUFFIX, Session, entries, sessions
from engine.signals.spans import span_of
from engine.sim.epochs import Marks
from engine.sim.matching.queue import Power
from engine.sim.matching.shadow import ShadowBook
from engine.sim.outcomes import REVIEWED, Review, Reviewed, Span
from engine.sim.recorded import Source
from engine.trading.playbook_file import load_playbook
from engine.values.errors import UserError
from engine.values.events import (
    BookDelta,
    BookSnapshot,
    Halt,
    PlaybookSet,
    RatingSet,
    Resume,
)
from engine.values.instrument import Instrument
from engine.values.records import Listed
from engine.values.units import NS_PER_S, Ns

WORDS = (RatingSet, PlaybookSet, Halt, Resume)
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A journal, walked once, and by session number what of it was recorded.

    `words` are the rows of ratings and of people's words; `config` is there where one was named.
    `policy_ns` is, by market, the time frame whose own rating policy read in the newest config.
    `recorded` and `configs` hold the sessions that can be read again, `problems` says why others
    cannot, and where a market's ticks changed on the way. `instruments` are the last known ones.
    """

    home: Path
    config: Config | None
    review: Review
    words: list[Row]
    policy_ns: dict[str, Ns]
    instruments: dict[str, Instrument]
    recorded: dict[int, Session]
    configs: dict[int, Config]
    problems: list[str]

    def config_of(self, epoch: int) -> Config | None:
        """The config that a session ran by: its recording's, or else the one that was named."""
        return self.configs.get(epoch, self.config)


def found_at(place: Path) -> Found:
    """What lies at a config, a data directory or a journal. Raises UserError."""
    config = load_config(place) if place.suffix == ".toml" else None
    home = config.data_path if config else place.parent if place.is_file() else place
    journal = place if place.is_file() and config is None else home / JOURNAL_NAME
    problems: list[str] = []
    found = _recorded(home, problems)
    configs = _configs(found, problems)
    policy_ns = _policy_ns([*configs.values(), config])
    instruments = _instruments(found, journal, problems)
    review, words = Review(instruments, policy_ns=policy_ns), []
    for row in shown(read(journal, kinds=REVIEWED), "records of the journal"):
        review.feed(row.record)
        if isinstance(row.record, WORDS):
            words.append(row)
    return Found(
        home=home,
        config=config,
        review=review,
        words=words,
        policy_ns=policy_ns,
        instruments=instruments,
        recorded={epoch: session for epoch, session in found.items() if epoch in configs},
        configs=configs,
        problems=problems,
    )


def _recorded(home: Path, problems: list[str]) -> dict[int, Session]:
    """The recorded sessions. None, and a problem, where one has no header: killed at its start."""
    directory = home / DIRECTORY_NAME
    if not directory.is_dir() or not any(directory.glob(f"*{SUFFIX}")):
        return {}
    try:
        return {each.header.epoch: each for each in sessions(home)}
    except UserError as error:
        problems.append(f"no recording is read, move this one away: {error}")
        return {}


def _configs(recorded: dict[int, Session], problems: list[str]) -> dict[int, Config]:
    """What each session ran by; a problem where that cannot be read: an older version's, say."""
    configs = {}
    for epoch, session in recorded.items():
        try:
            configs[epoch] = config_of(session.header)
        except UserError as error:
            problems.append(f"session {epoch} is not replayed: {error}")
    return configs


def _policy_ns(configs: Iterable[Config | None]) -> dict[str, Ns]:
    """As the last that says so of each market."""
    return {
        market.market: span_of(market.technical.policy)
        for config in configs
        for market in (config.markets if config else ())
        if market.technical is not None
    }


def _instruments(
    recorded: dict[int, Session], journal: Path, problems: list[str]
) -> dict[str, Instrument]:
    """As the journal says of markets that were traded, or else the recordings."""
    found = {
        each.market: each for session in recorded.values() for each in session.header.instruments
    }
    units: dict[str, tuple[int, int]] = {}
    for row in read(journal, kinds=("Listed",)):
        assert isinstance(row.record, Listed), row
        market, item = row.market, row.record.instrument
        unit = item.tick_lot_atoms, item.lot_base_atoms
        if units.setdefault(market, unit) != unit:
            problems.append(f"{market}: its tick or lot changed; all money is told in the last")
        found[market] = item
    return found


def since_ns(text: str, last_ns: Ns) -> Ns:
    """`7d` before the newest record, `all`, or an ISO time. Raises UserError."""
    if text == "all":
        return 0
    number, unit = text[:-1], text[-1:]
    if unit in UNITS_S and number.isascii() and number.isdigit():
        return max(0, last_ns - int(number) * UNITS_S[unit] * NS_PER_S)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--since {text[:40]!r}: as 7d, 12h, 90m, all, or an ISO time") from error
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(aware.timestamp() * NS_PER_S)


def settled(review: Review, recorded: dict[int, dict[str, Marks]]) -> Reviewed:
    """The result, with fills judged by `recorded` mids, by session, where there are any."""
    told = {name: market.marks for name, market in review.markets.items()}
    marks = {name: _joined(name, known, review.sessions, recorded) for name, known in told.items()}
    return review.result(marks)


def _joined(
    market: str, told: Marks, spans: list[Span], recorded: dict[int, dict[str, Marks]]
) -> Marks:
    """Recorded mids in the sessions that have them, those of decisions in all others."""
    known = [
        (span, recorded[span.epoch][market])
        for span in spans
        if market in recorded.get(span.epoch, {})
    ]
    points = [
        point
        for point in zip(told.moments_ns, told.mids, strict=True)
        if not any(span.began_ns <= point[0] <= span.ended_ns for span, _ in known)
    ]
    for _, marks in known:
        points += zip(marks.moments_ns, marks.mids, strict=True)
    points.sort()
    return Marks([at_ns for at_ns, _ in points], [mid for _, mid in points])


# --- recordings ---------------------------------------------------------------------------------


def data_for(session: Session) -> Data:
    """The public half of one session. Raises UserError."""
    config, file = config_of(session.header), session.files[0]
    return data_of(config, [file], session.header.epoch, has_words=False)


def recorded_marks(data: Data, source: Source) -> dict[str, Marks]:
    """The mids of each market in a recording, without our own orders."""
    books = {market: ShadowBook(Power(1.0)) for market in data.instruments}
    marks = {market: Marks([], []) for market in data.instruments}
    for fact in source:
        if not isinstance(fact, BookSnapshot | BookDelta) or fact.market not in books:
            continue
        book = books[fact.market]
        book.apply_public(fact.bids, fact.asks, isinstance(fact, BookSnapshot))
        bid, _, ask, _ = book.top()
        if bid and ask:
            marks[fact.market].note(fact.at_ns, bid + ask)
    return marks


def events_of(session: Session) -> Iterator[object]:
    """Everything that the engine was told."""
    return (entry for entry in entries(session) if not hasattr(entry, "outcome"))


# --- playbooks ----------------------------------------------------------------------------------


def playbook_of_then(
    found: Found, reviewed: Reviewed, epoch: int, market: str
) -> tuple[PlaybookSet | None, str]:
    """The playbook that a market's session began with, and a note where it is not the very one."""
    span = next(each for each in reviewed.sessions if each.epoch == epoch)
    ruled = [
        each.playbook
        for each in reviewed.epochs
        if (each.market, each.session) == (market, epoch) and each.playbook
    ]
    if not ruled:
        return None, f"{market}: no playbook ruled in session {epoch}"
    candidates = list(_candidates(found, epoch, market, span.began_ns))
    for word in candidates:
        playbook = load_playbook(word.text, word.name)
        if f"{playbook.name} {playbook.digest[:12]}" == ruled[0]:
            return word, ""
    if not candidates:
        return None, f"{market}: the playbook {ruled[0]!r} of session {epoch} is not to be found"
    note = f"{market}: session {epoch} ran by {ruled[0]!r}, which is gone; replayed by another"
    return candidates[0], note


def latest_playbook(found: Found, market: str) -> PlaybookSet | None:
    """The one in force: of what a person set last, or else the file of the newest config."""
    epochs = sorted(found.recorded) or [0]
    words = list(_candidates(found, epochs[-1], market, 0))
    return words[-1] if words else None


def _candidates(found: Found, epoch: int, market: str, at_ns: Ns) -> Iterator[PlaybookSet]:
    """The config's own first, then each that was set; none that could not run."""
    config = found.config_of(epoch)
    for each in config.markets if config else []:
        text = config.playbooks.get(each.playbook) if config else None
        if each.market == market and text is not None:
            yield from _from_config(each.playbook, text, market, at_ns)
    for row in found.words:
        if isinstance(row.record, PlaybookSet) and row.record.market in (market, ""):
            yield msgspec.structs.replace(row.record, market=market, at_ns=at_ns)


def _from_config(name: str, text: str, market: str, at_ns: Ns) -> Iterator[PlaybookSet]:
    try:
        playbook = load_playbook(text, name)
    except UserError:
        return
    yield PlaybookSet(
        market=market, at_ns=at_ns, who="config", name=name, digest=playbook.digest, text=text
    )
