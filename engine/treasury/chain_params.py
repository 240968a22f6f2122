"""`[chain]`: the places whose units can be staked, pooled and sent, and how that is simulated."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from engine.values.units import PPM, Ppm, scaled

MS_MAX = 3_600_000
S_MAX = 31 * 86_400
HOURS_MAX = 10_000


class SimulatedChainParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[chain.simulated]`: a chain that is not there, kept in a file of the data directory.

    opening: whole tokens that are free in the wallet when that file is made. notice_h: hours from
    asking until units are back, by every platform and pool that there is. pay_ppm, pay_every_s:
    what those pay, of what is in them. The other fields as in `engine.sim.chain.ChainParams`.
    """

    seed: int
    block_ms: int
    inclusion_blocks: int
    confirmations: int
    reverted_ppm: Ppm
    lost_ppm: Ppm
    notice_h: dict[str, float]
    pay_ppm: dict[str, Ppm]
    pay_every_s: int
    opening: dict[str, str]

    def __post_init__(self) -> None:
        if not 1 <= self.block_ms <= MS_MAX:
            raise ValueError(f"block_ms must be 1 to {MS_MAX}")
        if min(self.inclusion_blocks, self.confirmations, self.seed) < 0:
            raise ValueError("inclusion_blocks, confirmations and seed must not be negative")
        if not all(0 <= ppm <= PPM for ppm in (self.reverted_ppm, self.lost_ppm)):
            raise ValueError(f"reverted_ppm and lost_ppm must be 0 to {PPM}")
        if not all(0 <= hours <= HOURS_MAX for hours in self.notice_h.values()):
            raise ValueError(f"notice_h must be 0 to {HOURS_MAX}")
        if not all(0 <= ppm <= PPM for ppm in self.pay_ppm.values()):
            raise ValueError(f"pay_ppm must be 0 to {PPM}")
        if not 1 <= self.pay_every_s <= S_MAX:
            raise ValueError(f"pay_every_s must be 1 to {S_MAX}")


class ChainSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[chain]`. Without it the engine refuses stakes, pools and transfers when they are asked for.

    places: what may be staked, pooled or sent lies there. every_s: how often the chain is asked.
    expires_s: how long an order may wait for a block before it can be in none. transfer_s: what is
    on its way counts as cash at the other end so long after it was sent. simulated: how the shipped
    implementation behaves; left out where whoever starts the engine brings one.
    """

    places: list[str]
    every_s: float
    expires_s: int
    transfer_s: int
    float_code: str = ""
    simulated: SimulatedChainParams | None = None

    def __post_init__(self) -> None:
        if not self.places or len(set(self.places)) < len(self.places):
            raise ValueError("places must name one at least, and none twice")
        if not 0.01 <= self.every_s <= 3_600:
            raise ValueError("every_s must be 0.01 to 3600")
        if not (1 <= self.expires_s <= S_MAX and 0 <= self.transfer_s <= S_MAX):
            raise ValueError(f"expires_s and transfer_s must be at most {S_MAX}, expires_s over 0")
        if self.simulated is not None and len(self.places) > 1:
            raise ValueError("simulated: is of one wallet, so places names one")


def chain_problems(
    section: ChainSection, exponents: Mapping[str, int], places: set[str]
) -> Iterator[str]:
    """What does not fit the rest of the treasury file."""
    for place in section.places:
        if place not in places:
            yield f'chain.places: "{place[:40]}" is none of [[places]]'
    if section.simulated is None:
        return
    for asset, text in section.simulated.opening.items():
        where = f"chain.simulated.opening.{asset[:40]}"
        if asset not in exponents:
            yield f"{where}: is neither money nor one of [[assets]]"
            continue
        try:
            is_less = scaled(text, exponents[asset]) < 0
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        if is_less:
            yield f"{where}: must not be negative"
    for name in section.simulated.pay_ppm:
        if name not in section.simulated.notice_h:
            yield f'chain.simulated.pay_ppm: "{name[:40]}" is none of notice_h'


def hours_ns(hours: float) -> int:
    """Hours with a fraction as whole ns."""
    return int(Decimal(str(hours)) * 3_600_000_000_000)
