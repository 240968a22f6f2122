"""`treasury.toml`: the treasury's policy in one file, or every mistake in it named by its path.

Each part of the treasury owns its params; this composes them. The thin start is `money`, `assets`,
`places` and `buckets`; every other section may be left out, and then that part is not there. Paths
in it are relative to the directory that the command is run in.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.runtime.person_file import read_text
from engine.treasury.authority import AssetRule
from engine.treasury.authority_check import params_problems
from engine.treasury.authority_params import AuthorityParams
from engine.treasury.books_params import BooksParams
from engine.treasury.chain_params import ChainSection, chain_problems
from engine.treasury.execution_params import ExecutionParams
from engine.treasury.ladder_params import EmergencyParams, emergency_problems
from engine.treasury.limit_rows import row_problem
from engine.treasury.liquid import LiquidParams
from engine.treasury.params import AssetParams, BucketParams, MoneyParams, PlaceKind, PlaceParams
from engine.treasury.placement_params import PlacementParams, placement_problems
from engine.treasury.rebalance import RebalanceParams
from engine.treasury.score import ScoreParams
from engine.values.errors import UserError
from engine.values.table_check import problems, toml_table
from engine.values.treasury_words import LimitRow
from engine.values.units import NS_PER_S, scaled


class FilesParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[files]`: where people write what the treasury owes and what is locked; "" for nowhere."""

    obligations: str
    locks: str


class TreasuryFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole treasury file. `functions` are the business functions that may owe something."""

    money: MoneyParams
    assets: list[AssetParams]
    places: list[PlaceParams]
    buckets: list[BucketParams]
    functions: list[str]
    files: FilesParams | None = None
    liquid: LiquidParams
    limits: list[LimitRow] = []
    scores: list[ScoreParams] = []
    authority: AuthorityParams | None = None
    books: BooksParams | None = None
    execution: ExecutionParams | None = None
    rebalance: RebalanceParams | None = None
    placement: PlacementParams | None = None
    emergency: EmergencyParams | None = None
    chain: ChainSection | None = None


def load_treasury(path: Path) -> TreasuryFile:
    """Read and check a treasury file. Raises UserError with one line for each mistake."""
    return parse_treasury(read_text(path), str(path))


def parse_treasury(text: str, name: str) -> TreasuryFile:
    """The treasury in `text`; `name` is what its mistakes are reported under. Raises UserError."""
    table = toml_table(text, name)
    found = problems(table, TreasuryFile, "")
    file = None if found else msgspec.convert(table, TreasuryFile)
    if file is not None:
        found = list(_disagreements(file))
    if found or file is None:
        raise UserError("\n".join(f"{name}: {problem}" for problem in found))
    return file


def treasury_digest(file: TreasuryFile) -> str:
    """SHA-256 of the canonical form: comments, order and spelling do not change it."""
    return hashlib.sha256(msgspec.json.encode(file, order="sorted")).hexdigest()


def _disagreements(file: TreasuryFile) -> Iterator[str]:
    """What is wrong although every part is right by itself."""
    exponents = {file.money.name: file.money.exponent}
    exponents |= {asset.name: asset.exponent for asset in file.assets}
    names = [file.money.name, *(asset.name for asset in file.assets)]
    yield from _repeats(names[1:], "assets")
    if file.money.name in names[1:]:
        yield f'assets: "{file.money.name}" is money, which stands in [money] alone'
    yield from _repeats([place.name for place in file.places], "places")
    yield from _repeats([row.asset for row in file.buckets], "buckets")
    yield from _repeats(file.functions, "functions")
    venues = {place.name for place in file.places if place.kind is PlaceKind.VENUE}
    for index, place in enumerate(file.places):
        if place.sells_at not in venues:
            yield f'places[{index}].sells_at: "{place.sells_at[:40]}" is no venue of [[places]]'
    for index, row in enumerate(file.buckets):
        yield from _bucket_problems(row, f"buckets[{index}]", exponents, venues)
    yield from limit_problems(file)
    if file.liquid.token not in exponents:
        yield f'liquid.token: "{file.liquid.token[:40]}" is neither money nor one of [[assets]]'
    yield from _repeats([one.asset for one in file.scores], "scores")
    for index, one in enumerate(file.scores):
        if one.asset not in names[1:]:
            yield f'scores[{index}].asset: "{one.asset[:40]}" is none of [[assets]]'
    if file.placement is not None:
        yield from placement_problems(file.placement, exponents)
    if file.emergency is not None:
        yield from emergency_problems(file.emergency, exponents, file.money.name)
    if file.chain is not None:
        yield from chain_problems(file.chain, exponents, {place.name for place in file.places})
    if file.authority is not None:
        rules = asset_rules(file.assets)
        yield from params_problems(file.authority, file.money.asset, rules, file.functions)


def asset_rules(assets: list[AssetParams]) -> list[AssetRule]:
    """What the policy of approvals knows of each asset."""
    return [
        AssetRule(name=a.name, exponent=a.exponent, price_ns_max=a.price_age_max_s * NS_PER_S)
        for a in assets
    ]


def _bucket_problems(
    row: BucketParams, path: str, exponents: dict[str, int], venues: set[str]
) -> Iterator[str]:
    if row.asset not in exponents:
        yield f'{path}.asset: "{row.asset[:40]}" is neither money nor one of [[assets]]'
        return
    amounts = [(f"{path}.discretionary", row.discretionary)]
    for index, part in enumerate(row.float):
        amounts.append((f"{path}.float[{index}].target", part.target))
        if part.venue not in venues:
            yield f'{path}.float[{index}].venue: "{part.venue[:40]}" is no venue of [[places]]'
    for where, text in amounts:
        try:
            scaled(text, exponents[row.asset])
        except ValueError as error:
            yield f"{where}: {error}"


def limit_problems(file: TreasuryFile) -> Iterator[str]:
    """What is wrong with the limits of a file whose other sections are right."""
    known = {file.money.name, *(asset.name for asset in file.assets)}
    places = {place.name for place in file.places}
    yield from _repeats([row.name for row in file.limits], "limits")
    for index, row in enumerate(file.limits):
        path = f"limits[{index}]"
        if problem := row_problem(row):
            yield f"{path}.{problem}"
        elif row.asset and row.asset not in known:
            yield f'{path}.asset: "{row.asset[:40]}" is neither money nor one of [[assets]]'
        elif row.function and row.function not in file.functions:
            yield f'{path}.function: "{row.function[:40]}" is none of functions'
        for venue in row.venues:
            if venue not in places:
                yield f'{path}.venues: "{venue[:40]}" is none of [[places]]'


def _repeats(names: list[str], path: str) -> Iterator[str]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f'{path}[{index}]: "{name[:40]}" is there twice'
