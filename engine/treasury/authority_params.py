"""`[authority]` of the treasury file: who may approve what, as rows that people write.

The first row that an action fits is the one that counts. A row that leaves out `initiator`, `kind`
or `function` is for any. It bounds the size in tokens and in money, of each action and over the
rolling window, all four of them, or says `any_size = true`. Amounts are decimal text.
"""

import msgspec

from engine.treasury.actions import Kind
from engine.values.action_records import Tier
from engine.values.action_words import Initiator, Role, Trigger

ROWS_MAX = 24
HOURS_MAX = 24 * 366


class AuthorityRowParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[authority.rows]]`. An asset that a token bound leaves out does not fit the row."""

    name: str
    initiator: list[Initiator] = []
    kind: list[Kind] = []
    function: list[str] = []
    any_size: bool = False
    each_money_max: str | None = None
    each_tokens_max: dict[str, str] | None = None
    window_money_max: str | None = None
    window_tokens_max: dict[str, str] | None = None
    tier: Tier
    why: str

    def __post_init__(self) -> None:
        bounds = (
            self.each_money_max,
            self.each_tokens_max,
            self.window_money_max,
            self.window_tokens_max,
        )
        if self.any_size != all(bound is None for bound in bounds):
            raise ValueError("either all four bounds, or any_size = true and none of them")
        if not self.any_size and any(bound is None for bound in bounds):
            raise ValueError("each and window bounds go together, in tokens and in money")
        if self.tier is Tier.OVERRIDE or Kind.OVERRIDE in self.kind:
            raise ValueError("overrides have rows of their own, [[authority.overrides]]")
        if not self.name.strip() or not self.why.strip():
            raise ValueError("name and why must not be empty")


class OverrideParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[authority.overrides]]`: one trigger, who may act on it, how fast, and what must follow.

    alone: whether the one of these roles who asks needs nobody else. act_within_min: counted from
    when the trigger was seen; afterwards the ordinary rows are the way. does: kinds of action.
    money_max: what it may move at most. evidence: what must be handed in within evidence_h.
    """

    trigger: Trigger
    roles: list[Role]
    alone: bool
    act_within_min: int
    does: list[Kind]
    money_max: str
    evidence: list[str]
    evidence_h: int

    def __post_init__(self) -> None:
        if not self.roles or not self.does or not self.evidence:
            raise ValueError("roles, does and evidence must not be empty")
        if not 1 <= self.act_within_min <= 24 * 60:
            raise ValueError("act_within_min must be 1 to 1440")
        if not 1 <= self.evidence_h <= HOURS_MAX:
            raise ValueError(f"evidence_h must be 1 to {HOURS_MAX}")


class AddressParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[authority.addresses]]`: one address of ours, or of a contract that we use.

    place: as a transfer's `to_place`, a stake's `platform` or a pool's name; network and memo: of
    transfers, "" where there is none.
    """

    place: str
    network: str
    address: str
    memo: str

    def __post_init__(self) -> None:
        if not self.place.strip() or not self.address.strip():
            raise ValueError("place and address must not be empty")


class AuthorityParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[authority]`.

    desk: names this treasury; what was signed for one desk is nothing to another.
    window_h: the rolling window. request_h_max, approval_h_max: how long either may be valid.
    settle_s: a place that knows nothing of an action proves by it only so long after it began.
    review_h: an action that an executive allowed is reviewed within so many hours.
    codes: the reason codes that a request may carry.
    addresses: nothing is ever sent anywhere else; left out, nothing is sent at all.
    """

    desk: str
    window_h: int
    request_h_max: int
    approval_h_max: int
    settle_s: int
    review_h: int
    codes: list[str]
    rows: list[AuthorityRowParams]
    overrides: list[OverrideParams]
    addresses: list[AddressParams] = []

    def __post_init__(self) -> None:
        for name in ("window_h", "request_h_max", "approval_h_max", "review_h"):
            if not 1 <= getattr(self, name) <= HOURS_MAX:
                raise ValueError(f"{name} must be 1 to {HOURS_MAX}")
        if not 1 <= self.settle_s <= 86_400:
            raise ValueError("settle_s must be 1 to 86400")
        if not self.desk.strip() or not self.codes:
            raise ValueError("desk and codes must not be empty")
        if not 1 <= len(self.rows) <= ROWS_MAX:
            raise ValueError(f"rows: 1 to {ROWS_MAX}")
