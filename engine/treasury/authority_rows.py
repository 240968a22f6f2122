"""From the rows that people write to the policy that a desk runs: decimals become atoms."""

from collections.abc import Sequence

from engine.treasury.actions import Kind
from engine.treasury.amounts import Asset
from engine.treasury.authority import Address, AssetRule, Authority, Bounds, OverrideRule, Rule
from engine.treasury.authority_params import (
    AuthorityParams,
    AuthorityRowParams,
    OverrideParams,
)
from engine.treasury.dates import NS_PER_H
from engine.values.action_words import Initiator
from engine.values.units import NS_PER_S, Atoms, scaled

NS_PER_MIN = 60 * NS_PER_S
ORDINARY = tuple(kind for kind in Kind if kind is not Kind.OVERRIDE)


def authority_of(
    params: AuthorityParams, money: Asset, assets: Sequence[AssetRule], functions: Sequence[str]
) -> Authority:
    """The policy that `params` spell. Raises ValueError: "rows[2].each_money_max: the fault"."""
    exponents = {asset.name: asset.exponent for asset in assets} | {money.name: money.exponent}
    rows = [
        _rule(row, (exponents, money, functions), f"rows[{index}]")
        for index, row in enumerate(params.rows)
    ]
    overrides = [
        _override_rule(row, money, f"overrides[{index}]")
        for index, row in enumerate(params.overrides)
    ]
    return Authority(
        desk=params.desk,
        money=money,
        assets=list(assets),
        functions=list(functions),
        codes=params.codes,
        window_ns=params.window_h * NS_PER_H,
        request_ns_max=params.request_h_max * NS_PER_H,
        approval_ns_max=params.approval_h_max * NS_PER_H,
        settle_ns=params.settle_s * NS_PER_S,
        review_ns=params.review_h * NS_PER_H,
        rows=rows,
        overrides=overrides,
        addresses=[
            Address(place=row.place, network=row.network, address=row.address, memo=row.memo)
            for row in params.addresses
        ],
    )


def _rule(
    row: AuthorityRowParams, known: tuple[dict[str, int], Asset, Sequence[str]], path: str
) -> Rule:
    exponents, money, functions = known
    for function in row.function:
        if function not in functions:
            raise ValueError(f'{path}.function: "{function[:40]}" is none of the functions')
    bounds = None
    if not row.any_size:
        bounds = Bounds(
            each_money=_money(row.each_money_max, money, f"{path}.each_money_max"),
            each_tokens=_tokens(row.each_tokens_max, exponents, f"{path}.each_tokens_max"),
            window_money=_money(row.window_money_max, money, f"{path}.window_money_max"),
            window_tokens=_tokens(row.window_tokens_max, exponents, f"{path}.window_tokens_max"),
        )
    return Rule(
        name=row.name,
        initiators=frozenset(row.initiator or Initiator),
        kinds=frozenset(row.kind or ORDINARY),
        functions=frozenset(row.function or functions),
        bounds=bounds,
        tier=row.tier,
        why=row.why,
    )


def _override_rule(row: OverrideParams, money: Asset, path: str) -> OverrideRule:
    return OverrideRule(
        trigger=row.trigger,
        roles=frozenset(row.roles),
        alone=row.alone,
        act_within_ns=row.act_within_min * NS_PER_MIN,
        does=frozenset(row.does),
        money_max=_money(row.money_max, money, f"{path}.money_max"),
        evidence=row.evidence,
        evidence_ns=row.evidence_h * NS_PER_H,
    )


def _money(text: str | None, money: Asset, path: str) -> Atoms:
    try:
        atoms = scaled(text or "", money.exponent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if atoms < 0:
        raise ValueError(f"{path}: must not be negative")
    return atoms


def _tokens(table: dict[str, str] | None, exponents: dict[str, int], path: str) -> dict[str, Atoms]:
    found = {}
    for name, text in (table or {}).items():
        if name not in exponents:
            raise ValueError(f'{path}: "{name[:40]}" is none of the assets')
        found[name] = _money(text, Asset(name, exponents[name]), f"{path}.{name}")
    return found
