"""The policy of approvals: the first row that an action fits says who must allow it.

A price that is not known, or is too old, makes a size unbounded: only rows for any size fit then,
and the checker proves that a larger size never meets an easier tier. So not to know is strictest.
"""

from collections.abc import Iterable

import msgspec

from engine.treasury.actions import Kind, coins_of, kind_of
from engine.treasury.amounts import Asset, Price
from engine.values.action_records import Ruling, Tier
from engine.values.action_words import (
    Action,
    AddToPool,
    Coins,
    Initiator,
    Override,
    Role,
    Stake,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.units import Atoms, Ns

STRICTNESS = {tier: place for place, tier in enumerate(Tier)}
SLOTS: dict[Tier, list[list[Role]]] = {
    Tier.AUTOMATIC: [],
    Tier.TWO_PEOPLE: [[Role.FINANCE], [Role.OPERATIONS]],
    Tier.EXECUTIVE: [[Role.EXECUTIVE]],
    Tier.REFUSED: [],
}
REVIEW = "review"
"""What must follow an action that an executive allowed."""


class AssetRule(msgspec.Struct, frozen=True, kw_only=True):
    """An asset that actions may move. An older price of it is unknown."""

    name: str
    exponent: int
    price_ns_max: Ns


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """A row's bounds, inclusive. Assets that are not named do not fit."""

    each_money: Atoms
    each_tokens: dict[str, Atoms]
    window_money: Atoms
    window_tokens: dict[str, Atoms]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row. No `bounds`: any size, known or not."""

    name: str
    initiators: frozenset[Initiator]
    kinds: frozenset[Kind]
    functions: frozenset[str]
    bounds: Bounds | None
    tier: Tier
    why: str


class OverrideRule(msgspec.Struct, frozen=True, kw_only=True):
    """What one trigger allows; see OverrideParams."""

    trigger: str
    roles: frozenset[Role]
    alone: bool
    act_within_ns: Ns
    does: frozenset[Kind]
    money_max: Atoms
    evidence: list[str]
    evidence_ns: Ns


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where something may be sent; see AddressParams."""

    place: str
    network: str
    address: str
    memo: str


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much an action moves, and how much its family and function do with it in the window."""

    each_money: Atoms | None
    each_tokens: dict[str, Atoms]
    window_money: Atoms | None
    window_tokens: dict[str, Atoms]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that a row looks at. `size_money` of the ruling is `sizes.each_money`."""

    initiator: Initiator
    action: Action
    function: str
    sizes: Sizes


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled policy. It may run once `authority_check.check` finds nothing."""

    desk: str
    money: Asset
    assets: list[AssetRule]
    functions: list[str]
    codes: list[str]
    window_ns: Ns
    request_ns_max: Ns
    approval_ns_max: Ns
    settle_ns: Ns
    review_ns: Ns
    rows: list[Rule]
    overrides: list[OverrideRule]
    addresses: list[Address]

    def __repr__(self) -> str:
        return f"<authority {self.desk} {len(self.rows)} rows, {len(self.overrides)} overrides>"

    def rule(self, case: Case) -> Ruling:
        """What `case` needs. Refused where no row fits, which a checked policy does not have."""
        if isinstance(case.action, Override):
            return self._override(case, case.action)
        kind = kind_of(case.action)
        for row in self.rows:
            if fits(row, (case.initiator, kind, case.function), case.sizes):
                return self._ruling(row, case.sizes.each_money)
        return _refused("", "no row of the policy is for this", case.sizes.each_money)

    def action_problem(self, action: Action) -> str:
        """Why these coins or this address are none that this policy knows, or ""."""
        target = target_of(action)
        if target is not None and target not in self.addresses:
            named = sorted({one.place for one in self.addresses})
            if target.place not in named:
                places = ", ".join(named) or "no place at all"
                return f'the policy names no address of "{target.place}"; it does of: {places}'
            return f"{target.address} is no address of {target.place} that the policy names"
        known = {rule.name: rule.exponent for rule in self.assets}
        known[self.money.name] = self.money.exponent
        for coins in coins_of(action):
            if coins.asset not in known:
                return f"{coins.asset} is none of this treasury's assets"
            if coins.exponent != known[coins.asset]:
                return f"{coins.asset} has {known[coins.asset]} decimals, not {coins.exponent}"
        return ""

    def money_atoms(
        self, coins: Iterable[Coins], prices: dict[str, Price], at_ns: Ns
    ) -> Atoms | None:
        """What `coins` are worth, rounded up; None where one has no price that is young enough."""
        total = 0
        ages = {rule.name: rule.price_ns_max for rule in self.assets}
        for part in coins:
            if part.asset == self.money.name:
                total += part.atoms
                continue
            price = prices.get(part.asset)
            if price is None or not 0 <= at_ns - price.at_ns <= ages.get(part.asset, -1):
                return None
            total += price.cost_atoms(part.atoms)
        return total

    def _ruling(self, row: Rule, money_atoms: Atoms | None) -> Ruling:
        is_reviewed = row.tier is Tier.EXECUTIVE
        return Ruling(
            tier=row.tier,
            row=row.name,
            why=row.why,
            slots=SLOTS[row.tier],
            duties=[REVIEW] if is_reviewed else [],
            duties_ns=self.review_ns if is_reviewed else 0,
            money_atoms=money_atoms,
        )

    def _override(self, case: Case, action: Override) -> Ruling:
        money_atoms = case.sizes.each_money
        row = next((row for row in self.overrides if row.trigger == action.trigger), None)
        name = f"override: {action.trigger}"
        if row is None:
            return _refused(name, "the policy has no row for this trigger", money_atoms)
        if kind_of(action.does) not in row.does:
            return _refused(name, f"does not allow to {kind_of(action.does)}", money_atoms)
        if money_atoms is None or money_atoms > row.money_max:
            why = "moves more than it may, or a price is not known"
            return _refused(name, why, money_atoms)
        is_alone = row.alone and case.initiator.value in {role.value for role in row.roles}
        return Ruling(
            tier=Tier.OVERRIDE,
            row=name,
            why="whoever asks may act alone" if is_alone else "one of these roles signs",
            slots=[] if is_alone else [sorted(row.roles)],
            duties=row.evidence,
            duties_ns=row.evidence_ns,
            money_atoms=money_atoms,
        )


def target_of(action: Action) -> Address | None:
    """Where `action` sends something, if it does."""
    match action:
        case Override():
            return target_of(action.does)
        case Transfer():
            place, network, memo = action.to_place, action.network, action.memo
        case Stake() | Unstake():
            place, network, memo = action.platform, "", ""
        case AddToPool() | TakeFromPool():
            place, network, memo = action.pool, "", ""
        case _:
            return None
    return Address(place=place, network=network, address=action.address, memo=memo)


def fits(row: Rule, category: tuple[Initiator, Kind, str], sizes: Sizes) -> bool:
    initiator, kind, function = category
    if initiator not in row.initiators or kind not in row.kinds or function not in row.functions:
        return False
    return row.bounds is None or _is_inside(sizes, row.bounds)


def _is_inside(sizes: Sizes, bounds: Bounds) -> bool:
    money = (
        (sizes.each_money, bounds.each_money),
        (sizes.window_money, bounds.window_money),
    )
    if any(size is None or size > bound for size, bound in money):
        return False
    tokens = (
        (sizes.each_tokens, bounds.each_tokens),
        (sizes.window_tokens, bounds.window_tokens),
    )
    return all(
        atoms <= bound.get(asset, -1) for size, bound in tokens for asset, atoms in size.items()
    )


def _refused(row: str, why: str, money_atoms: Atoms | None) -> Ruling:
    return Ruling(
        tier=Tier.REFUSED, row=row, why=why, slots=[], duties=[], duties_ns=0,
        money_atoms=money_atoms,
    )  # fmt: skip
