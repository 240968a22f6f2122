"""What a journal is on disk: its tables, its rows, and the hash that chains one row to the next."""

import hashlib
import struct
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from engine.values.intents import Hedge
from engine.values.records import OrderIntent, Record, SessionStarted
from engine.values.units import Ns

SCHEMA_VERSION = 1
APPLICATION_ID = 0x42414C4A
"""'BALJ' in the file's header, so that another SQLite file is never taken for a journal."""
GENESIS = bytes(32)

SCHEMA = f"""
CREATE TABLE records (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, market TEXT NOT NULL,
    body BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL, hash BLOB NOT NULL);
INSERT INTO head VALUES (1, 0, zeroblob(32));
CREATE TABLE sessions (epoch INTEGER PRIMARY KEY, opened_wall_ns INTEGER NOT NULL);

CREATE TRIGGER records_in_order BEFORE INSERT ON records
    WHEN NEW.seq != (SELECT count + 1 FROM head)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER records_move_head AFTER INSERT ON records
    BEGIN UPDATE head SET count = NEW.seq, hash = NEW.hash WHERE id = 1; END;
CREATE TRIGGER records_stay BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER records_remain BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER head_advances BEFORE UPDATE ON head WHEN NEW.count != OLD.count + 1
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER head_remains BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER sessions_rise BEFORE INSERT ON sessions
    WHEN NEW.epoch <= (SELECT COALESCE(MAX(epoch), 0) FROM sessions)
    BEGIN SELECT RAISE(ABORT, 'an epoch is never used twice'); END;
CREATE TRIGGER sessions_stay BEFORE UPDATE ON sessions
    BEGIN SELECT RAISE(ABORT, 'an epoch is never used twice'); END;
CREATE TRIGGER sessions_remain BEFORE DELETE ON sessions
    BEGIN SELECT RAISE(ABORT, 'an epoch is never used twice'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""  # noqa: S608 (two constants of ours)

COLUMNS = 6
ROW_SQL = "SELECT seq, at_ns, kind, market, body, hash FROM records"
ROW_HEAD = struct.Struct("<QqHHI")
"""Number and moment of a row, then the sizes of its kind, market and body."""

Redact: TypeAlias = Callable[[str], str]
RowTuple: TypeAlias = tuple[int, int, str, str, bytes, bytes]

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class ChainBroken(Exception):
    """Row `seq` does not follow from the row before it; `why` says in what."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"record {seq}: {why}")
        self.seq = seq
        self.why = why


class Head(msgspec.Struct, frozen=True):
    """Where a chain ends: how many rows, and the hash of the last one."""

    count: int = 0
    hash: bytes = GENESIS


class Encoded(msgspec.Struct, frozen=True):
    """A row, and the bytes that its hash was taken of: the whole row but the hash."""

    row: RowTuple
    packed: bytes


def encode(record: Record, head: Head, now_ns: Ns, redact: Redact | None = None) -> Encoded:
    """The row that stores `record` right after `head`. `now_ns` dates what carries no moment."""
    seq, body, kind = head.count + 1, _encoder.encode(record), type(record).__name__
    if redact is not None:
        text = body.decode()
        clean = redact(text)
        body = body if clean is text else clean.encode()
    if isinstance(record, OrderIntent):
        at_ns, market = record.order.at_ns, record.order.market
    else:
        at_ns = now_ns if isinstance(record, Hedge) else record.at_ns
        market = getattr(record, "market", "")
    packed = pack((seq, at_ns, kind, market, body))
    digest = hashlib.sha256(head.hash + packed).digest()
    return Encoded((seq, at_ns, kind, market, body, digest), packed)


def decode(body: bytes) -> Record:
    """Raises msgspec.DecodeError or ValidationError for a body that this version cannot read."""
    return _decoder.decode(body)


def pack(row: tuple[int, int, str, str, bytes]) -> bytes:
    """Every stored field of a row but its hash; sizes keep the fields apart."""
    seq, at_ns, kind, market, body = row
    kind_bytes, market_bytes = kind.encode(), market.encode()
    head = ROW_HEAD.pack(seq, at_ns, len(kind_bytes), len(market_bytes), len(body))
    return head + kind_bytes + market_bytes + body


def link(previous: bytes, row: tuple[int, int, str, str, bytes]) -> bytes:
    """SHA-256 over the previous hash and every stored field."""
    return hashlib.sha256(previous + pack(row)).digest()


def follow(head: Head, rows: Iterable[RowTuple]) -> Head:
    """Walk `rows` on from `head` to the last of them. Raises ChainBroken at the first bad one."""
    count, previous = head.count, head.hash
    for seq, at_ns, kind, market, body, stored in rows:
        if seq != count + 1:
            raise ChainBroken(count + 1, f"missing, the next stored is {seq}")
        try:
            expected = link(previous, (seq, at_ns, kind, market, body))
        except (TypeError, AttributeError, struct.error, UnicodeEncodeError) as error:
            raise ChainBroken(seq, f"a field is not what a journal writes: {error}") from error
        if expected != stored:
            raise ChainBroken(seq, "its hash does not follow from its content and record before it")
        count, previous = seq, stored
    return Head(count, previous)


def told_epoch(rows: Iterable[RowTuple], last_epoch: int) -> None:
    """No session in `rows` may have run under an epoch that was never handed out (I7).

    Raises ChainBroken: the next session would take client ids that are used already.
    """
    for row in rows:
        if row[2] != SessionStarted.__name__:
            continue
        record = decode(row[4])
        if isinstance(record, SessionStarted) and record.epoch > last_epoch:
            raise ChainBroken(row[0], f"epoch {record.epoch} is missing among the sessions")


def agree(walked: Head, anchored: Head) -> None:
    """The rows must end where the head row says. Raises ChainBroken."""
    if walked.count < anchored.count:
        missing = anchored.count - walked.count
        raise ChainBroken(walked.count + 1, f"missing, {missing} cut off the end")
    if walked != anchored:
        raise ChainBroken(walked.count, "the head of the journal names another last record")
