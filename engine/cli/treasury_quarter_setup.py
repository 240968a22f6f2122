"""The quarter's setup from its treasury file: real signatures of people who do not exist."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.runtime.authority_file import authority_word, load_authority
from engine.runtime.signing import verify
from engine.runtime.treasury_facts import scheme_of
from engine.runtime.treasury_file import TreasuryFile
from engine.signals.candles import Candle
from engine.signals.rating_stream import RatingStream
from engine.signals.votes import Rules
from engine.sim.quarter_setup import BEGIN_NS, STEP_NS, PricePath, QuarterSetup
from engine.treasury.dates import NS_PER_DAY
from engine.values.action_records import Absence, Person
from engine.values.action_words import Role
from engine.values.errors import UserError
from engine.values.units import Ns

PEOPLE = {
    "anna": Role.FINANCE,
    "fay": Role.FINANCE,
    "otto": Role.OPERATIONS,
    "olga": Role.OPERATIONS,
    "eva": Role.EXECUTIVE,
}
AWAY = {"fay": (20, 27)}
"""Days of the quarter on which somebody cannot sign."""


class SimulatedKeys:
    """A key made from each name: nothing that it signs is worth anything outside the quarter."""

    def __init__(self) -> None:
        self._keys = {
            name: Ed25519PrivateKey.from_private_bytes(f"quarter {name}".encode().ljust(32, b"."))
            for name in PEOPLE
        }

    def sign(self, name: str, message: bytes) -> bytes:
        return self._keys[name].sign(message)

    def people(self) -> tuple[Person, ...]:
        return tuple(
            Person(
                name=name,
                role=role,
                key=self._keys[name].public_key().public_bytes(
                    Encoding.Raw, PublicFormat.Raw
                ).hex(),
                contact=f"{name}, of the simulation",
                absences=[
                    Absence(
                        from_ns=BEGIN_NS + first * NS_PER_DAY, until_ns=BEGIN_NS + last * NS_PER_DAY
                    )
                    for first, last in [AWAY[name]]
                ]
                if name in AWAY
                else [],
            )
            for name, role in PEOPLE.items()
        )  # fmt: skip


class Ratings:
    """A real technical rating of the path's prices, a bar a step: shown, and heard by nobody."""

    def __init__(self) -> None:
        self._stream = RatingStream(Rules.R2024)

    def __call__(self, at_ns: Ns, price: float) -> str:
        candle = Candle(at_ns=at_ns - STEP_NS, open=price, high=price * 1.001,
                        low=price * 0.999, close=price, volume=1.0)  # fmt: skip
        rated = self._stream.push(candle)
        return f"{rated.label}"


def setup_of(
    path: Path, file: TreasuryFile, chosen: tuple[int, int, PricePath], *, with_signals: bool
) -> QuarterSetup:
    """`chosen` are (seed, days, path of the price). Raises UserError for a missing section."""
    execution, rebalance, emergency = file.execution, file.rebalance, file.emergency
    if file.authority is None or execution is None or rebalance is None or emergency is None:
        raise UserError(f"{path}: needs [authority], [execution], [rebalance] and [emergency]")
    keys, authority = SimulatedKeys(), load_authority(path)
    return QuarterSetup(
        seed=chosen[0],
        days=chosen[1],
        path=chosen[2],
        scheme=scheme_of(file),
        liquid=file.liquid,
        scores=tuple(file.scores),
        rows=tuple(file.limits),
        authority=authority,
        policy=authority_word(authority, str(path), "quarter", BEGIN_NS),
        people=keys.people(),
        execution=execution,
        rebalance=rebalance,
        emergency=emergency,
        verify=verify,
        keys=keys,
        signals=Ratings() if with_signals else None,
    )
