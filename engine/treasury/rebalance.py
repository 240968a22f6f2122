"""The rebalancing loop: watched with every fact, checked once a day, traded only on a breach.

Over the upper band (120 % of the target as shipped) the excess is to become stable; under the lower
one (80 %) selling stops by the release rule, and this plans where the rest is to come from. Without
a liquidity score, or where the book would be moved too far, nothing is proposed: better to miss an
opportunity than to force a trade into a thin book.
"""

from collections.abc import Iterator, Mapping

import msgspec

from engine.treasury.buckets import Split, split
from engine.treasury.calibration import CalibrationParams
from engine.treasury.dates import NS_PER_DAY, NS_PER_H, begin_ns, day_of
from engine.treasury.depth import walked
from engine.treasury.estimate import slippage_ppm, worst_of
from engine.treasury.facts import Facts
from engine.treasury.params import FloatParams
from engine.treasury.score import Score
from engine.values.action_words import Coins, Rebalance
from engine.values.rebalance_records import BandMoved, BandsChecked, BandZone, RebalanceRecord
from engine.values.treasury_words import Bucket
from engine.values.units import NS_PER_S, PPM, SELL, Atoms, Ns, Ppm, scaled

HOURS_OF_DAY = 24
CALM_NS = 60 * NS_PER_S
"""So long something must have kept inside before people are told that it is back."""


class RebalanceParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rebalance]`. No default.

    check_hour: the daily check is made at the first fact after this UTC hour. back_to_ppm: an
    excess is converted down to this share of the target. worst_ppm: a proposal signs for no worse
    a price than this far under mid. child_ppm: and is not made where even this share of it would
    cost more at once. until_h: how long a proposal has to be executed.
    """

    check_hour: int
    back_to_ppm: Ppm
    worst_ppm: Ppm
    child_ppm: Ppm
    until_h: int
    calibration: CalibrationParams

    def __post_init__(self) -> None:
        if not 0 <= self.check_hour < HOURS_OF_DAY:
            raise ValueError("check_hour must be 0 to 23")
        if not 0 < self.back_to_ppm <= 10 * PPM:
            raise ValueError(f"back_to_ppm must be 1 to {10 * PPM}")
        if not 0 < self.worst_ppm < PPM or not 0 < self.child_ppm <= PPM:
            raise ValueError("worst_ppm and child_ppm must be more than 0 and at most all")
        if not 1 <= self.until_h <= 31 * HOURS_OF_DAY:
            raise ValueError("until_h must be 1 to 744")


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """One float beside its bands. `excess_atoms` over, or `lacking_atoms` under, the target."""

    venue: str
    asset: str
    zone: BandZone
    held_atoms: Atoms
    target_atoms: Atoms
    lower_atoms: Atoms
    upper_atoms: Atoms

    @property
    def name(self) -> str:
        return f"{self.asset} at {self.venue}"

    @property
    def share_ppm(self) -> Ppm | None:
        """Of the target; None where that is nothing."""
        return self.held_atoms * PPM // self.target_atoms if self.target_atoms else None


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lacking float could be filled from; place "" is the market."""

    place: str
    bucket: str
    atoms: Atoms
    ready_ns: Ns


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What the daily check found for one float, and why. `action` is proposed, never sent."""

    band: Band
    action: Rebalance | None
    supplies: tuple[Supply, ...]
    why: str


class RebalanceLook(msgspec.Struct):
    records: list[RebalanceRecord] = []
    alerts: list[str] = []
    drafts: list[Draft] = []


class Rebalancer:
    """Remembers where each float stood and which day was checked; only records change it."""

    def __init__(self, params: RebalanceParams) -> None:
        self.zones: dict[tuple[str, str], BandZone] = {}
        self.checked_day = -1
        self._params = params
        self._told: dict[tuple[str, str], BandZone] = {}
        self._moved_ns: dict[tuple[str, str], Ns] = {}

    def remember(self, record: RebalanceRecord) -> None:
        if isinstance(record, BandsChecked):
            self.checked_day = max(self.checked_day, record.day)
        else:
            self._stand(record)
            self._told[record.venue, record.asset] = record.after

    def _stand(self, moved: BandMoved) -> None:
        self.zones[moved.venue, moved.asset] = moved.after
        self._moved_ns[moved.venue, moved.asset] = moved.at_ns

    def remember_any(self, record: object) -> None:
        """The same for any record: what is none of the loop's changes nothing."""
        if isinstance(record, RebalanceRecord):
            self.remember(record)

    def look(
        self, facts: Facts, scores: Mapping[str, Score | None], *, may_check: bool = True
    ) -> RebalanceLook:
        """Alerts at once, proposals once a day. `scores` by asset; a missing one is none.

        A float that goes to and fro over a band is told once: that it is inside again is told
        when it has been for CALM_NS, and only then can the same be news once more.
        Without `may_check` the day's check waits: a market that is not measured yet costs no day.
        """
        look = RebalanceLook()
        found = list(bands(facts))
        for band in found:
            self._watch(band, facts.at_ns, look)
        if may_check and self.is_due(facts.at_ns):
            drafts = [self._draft(band, facts, scores.get(band.asset)) for band in found]
            look.drafts += [draft for draft in drafts if draft.band.zone is not BandZone.INSIDE]
            why = {draft.band.name: draft.why for draft in drafts}
            self._keep(BandsChecked(at_ns=facts.at_ns, day=day_of(facts.at_ns), why=why), look)
        return look

    def is_due(self, at_ns: Ns) -> bool:
        """Whether the check of this UTC day is still to be made."""
        day = day_of(at_ns)
        hour = (at_ns - begin_ns(day)) // NS_PER_H
        return day > self.checked_day and hour >= self._params.check_hour

    def _watch(self, band: Band, at_ns: Ns, look: RebalanceLook) -> None:
        key = band.venue, band.asset
        before = self.zones.get(key, BandZone.INSIDE)
        if before is not band.zone:
            moved = BandMoved(
                at_ns=at_ns,
                venue=band.venue,
                asset=band.asset,
                before=before,
                after=band.zone,
                held_atoms=band.held_atoms,
                target_atoms=band.target_atoms,
            )
            self._stand(moved)
            look.records.append(moved)
        told = self._told.get(key, BandZone.INSIDE)
        is_calm = at_ns - self._moved_ns.get(key, at_ns) >= CALM_NS
        if told is not band.zone and (band.zone is not BandZone.INSIDE or is_calm):
            self._told[key] = band.zone
            look.alerts.append(f"{band.name} is {band.zone}: {_percent(band)}")

    def _keep(self, record: RebalanceRecord, look: RebalanceLook) -> None:
        self.remember(record)
        look.records.append(record)

    # --- what to do about it --------------------------------------------------------------------

    def _draft(self, band: Band, facts: Facts, score: Score | None) -> Draft:
        if band.zone is BandZone.UNDER:
            supplies = tuple(_supplies(band, facts))
            why = f"{_percent(band)}: selling has stopped; to be replenished"
            return Draft(band=band, action=None, supplies=supplies, why=why)
        action, why = None, _percent(band)
        if band.zone is BandZone.OVER:
            action, why = self._conversion(band, facts, score)
        return Draft(band=band, action=action, supplies=(), why=why)

    def _conversion(
        self, band: Band, facts: Facts, score: Score | None
    ) -> tuple[Rebalance | None, str]:
        money = facts.scheme.money
        if band.asset == money.name:
            return None, f"{_percent(band)}: it is stable already; move the excess to the reserve"
        if score is None:
            return None, f"{_percent(band)}: no current liquidity score, nothing is converted"
        book = facts.book(band.venue, band.asset)
        if book is None:
            return None, f"{_percent(band)}: {band.venue} has no book that can be relied on"
        excess = band.held_atoms - band.target_atoms * self._params.back_to_ppm // PPM
        if excess <= 0:
            return None, f"{_percent(band)}: nothing above {self._params.back_to_ppm} ppm of it"
        mid, part = book.mid(), max(1, excess * self._params.child_ppm // PPM)
        done = walked(book.bids, part, is_up=False)
        if done[0] < part or slippage_ppm(done, mid, SELL) > self._params.worst_ppm:
            return None, f"{_percent(band)}: the book is too thin even for a part of the excess"
        least = worst_of(mid, SELL, self._params.worst_ppm).worth_atoms(excess)
        action = Rebalance(
            bucket=Bucket.FLOAT,
            sell=Coins(
                asset=band.asset, atoms=excess, exponent=facts.scheme.asset(band.asset).exponent
            ),
            least=Coins(asset=money.name, atoms=least, exponent=money.exponent),
            venues=[band.venue],
            until_ns=facts.at_ns + self._params.until_h * NS_PER_H,
        )
        return action, f"{_percent(band)}: the excess over its target is to become {money.name}"


def bands(facts: Facts) -> Iterator[Band]:
    """Every float of the treasury, in the order of the file."""
    for asset, row in facts.scheme.buckets.items():
        found = split(facts, asset)
        for part in row.float:
            yield band_of(facts, found, part)


def band_of(facts: Facts, found: Split, row: FloatParams) -> Band:
    """The float bucket at a venue against its target. The bands themselves are inside."""
    held = found.at(Bucket.FLOAT, row.venue)
    target = scaled(row.target, facts.scheme.asset(found.asset).exponent)
    lower, upper = -(-target * row.lower_ppm // PPM), target * row.upper_ppm // PPM
    zone = BandZone.INSIDE if lower <= held <= upper else BandZone.OVER
    return Band(
        venue=row.venue,
        asset=found.asset,
        zone=BandZone.UNDER if held < lower else zone,
        held_atoms=held,
        target_atoms=target,
        lower_atoms=lower,
        upper_atoms=upper,
    )


def _supplies(band: Band, facts: Facts) -> Iterator[Supply]:
    """Surplus first, then discretionary inventory, soonest first; what is left must be bought."""
    lacking = band.target_atoms - band.held_atoms
    parts = split(facts, band.asset).parts
    for bucket in (Bucket.SURPLUS, Bucket.DISCRETIONARY):
        mine = [part for part in parts if part.bucket is bucket]
        for part in sorted(mine, key=lambda part: (part.piece.ready_ns, part.piece.place)):
            atoms = min(lacking, part.atoms)
            if atoms > 0:
                lacking -= atoms
                yield Supply(
                    place=part.piece.place,
                    bucket=bucket,
                    atoms=atoms,
                    ready_ns=part.piece.ready_ns,
                )
    if lacking > 0:
        yield Supply(place="", bucket="", atoms=lacking, ready_ns=facts.at_ns + NS_PER_DAY)


def _percent(band: Band) -> str:
    share = band.share_ppm
    return "no target" if share is None else f"{share / 10_000:.1f} % of its target"
