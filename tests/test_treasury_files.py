"""What people write: a mistake is one line with file, line and fault, and changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from engine.runtime.treasury_facts import parse_facts, scheme_of, told
from engine.runtime.treasury_file import TreasuryFile, load_treasury, parse_treasury
from engine.runtime.treasury_rows import LOCK_COLUMNS, OBLIGATION_COLUMNS, locks_of, obligations_of
from engine.runtime.treasury_watch import TreasuryWatch
from engine.treasury.dates import NS_PER_DAY, NS_PER_H
from engine.treasury.holdings import Holdings
from engine.values.errors import UserError
from engine.values.treasury_words import LimitsSet, LockKind, LockSet, ObligationSet

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "configs" / "treasury.toml"
AT = "2026-11-21T12:00:00Z"


@pytest.fixture(scope="module")
def shipped() -> TreasuryFile:
    return load_treasury(SHIPPED)


def rows_file(directory: Path, columns: tuple[str, ...], *lines: str) -> Path:
    path = directory / "rows.csv"
    path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
    return path


# --- obligations.csv and locks.csv --------------------------------------------------------------


def test_obligations_are_read_in_atoms_and_utc_days(tmp_path: Path, shipped: TreasuryFile) -> None:
    path = rows_file(tmp_path, OBLIGATION_COLUMNS, "a,2026-12-01,rebates,BTT,1.5", "")
    found = obligations_of(path, shipped, 7, "file")
    (row,) = found.rows
    assert (row.due, row.function, row.asset, row.atoms) == (20_788, "rebates", "BTT", 150_000_000)
    assert (found.name, len(found.digest)) == (str(path), 64)


def test_locks_are_read_with_their_time_to_cash(tmp_path: Path, shipped: TreasuryFile) -> None:
    path = rows_file(
        tmp_path,
        LOCK_COLUMNS,
        "s,staked,cold wallet,BTT,5,168,",
        "w,withdrawal,loopback,USDT,7,2,1970-01-02T00:00:00+00:00",
        "h,halted venue,loopback,,,48,",
    )
    staked, withdrawn, halted = locks_of(path, shipped, 7, "file").rows
    assert (staked.unwind_ns, staked.until_ns) == (7 * NS_PER_DAY, 0)
    assert (withdrawn.unwind_ns, withdrawn.until_ns) == (2 * NS_PER_H, NS_PER_DAY)
    assert (halted.kind, halted.asset, halted.atoms) == (LockKind.HALTED, "", 0)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a,2026-13-01,rebates,BTT,1", 'due: "2026-13-01" is no UTC date like 2026-01-31'),
        ("a,20261201,rebates,BTT,1", 'due: "20261201" is no UTC date like 2026-01-31'),
        ("a,2026-12-01,lunch,BTT,1", 'function: "lunch" is none of: creator rewards, rebates'),
        ("a,2026-12-01,rebates,DOGE,1", 'asset: "DOGE" is none of: BTT, USDT'),
        ("a,2026-12-01,rebates,BTT,0", "amount: must be more than 0, got 0"),
        ("a,2026-12-01,rebates,BTT,-1", "amount: must be more than 0, got -1"),
        ("a,2026-12-01,rebates,BTT,1e6", "amount: not a plain decimal: '1e6'"),
        ("a,2026-12-01,rebates,BTT,nan", "amount: not a plain decimal: 'nan'"),
        ('a,2026-12-01,rebates,BTT,"1,000"', "amount: not a plain decimal: '1,000'"),
        ("a,2026-12-01,rebates,BTT,0.000000001", "amount: 0.000000001 is finer than 10^-8"),
        (",2026-12-01,rebates,BTT,1", "name: 1 to 80 printable characters"),
        ("a,2026-12-01,rebates,BTT", "expected 5 cells, got 4"),
        ('a,2026-12-01,rebates,BTT,"1', "not CSV: unexpected end of data"),
        ("good,2026-12-01,rebates,BTT,1", 'name: "good" stands in line 2 already'),
    ],
)
def test_a_malformed_obligation_is_named_by_file_line_and_fault(
    tmp_path: Path, shipped: TreasuryFile, line: str, fault: str
) -> None:
    path = rows_file(tmp_path, OBLIGATION_COLUMNS, "good,2026-12-01,rebates,BTT,1", line)
    with pytest.raises(UserError) as caught:
        obligations_of(path, shipped, 0, "file")
    assert str(caught.value).startswith(f"{path}:3: {fault}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a,lost,loopback,BTT,1,1,", 'kind: "lost" is none of: staked, pool'),
        ("a,staked,mattress,BTT,1,1,", 'place: "mattress" is none of: loopback, cold wallet'),
        ("a,staked,loopback,BTT,1,soon,", 'unwind_h: "soon" is no whole number of hours'),
        ("a,staked,loopback,BTT,1,999999,", 'unwind_h: "999999" is no whole number of hours'),
        ("a,staked,loopback,BTT,1,1,monday", 'until: "monday" is no time like 2026-01-31T12'),
        ("a,staked,loopback,BTT,1,1,2026-01-31", "until: a time needs its offset"),
        ("a,halted venue,loopback,BTT,1,1,", 'asset: must be empty for a "halted venue"'),
        ("a,staked,loopback,,,1,", 'asset: "" is none of: BTT, USDT'),
    ],
)
def test_a_malformed_lock_is_named_by_file_line_and_fault(
    tmp_path: Path, shipped: TreasuryFile, line: str, fault: str
) -> None:
    path = rows_file(tmp_path, LOCK_COLUMNS, line)
    with pytest.raises(UserError) as caught:
        locks_of(path, shipped, 0, "file")
    assert str(caught.value).startswith(f"{path}:2: {fault}")
    assert len(str(caught.value).splitlines()) == 1


def test_each_mistake_has_its_line_and_many_are_cut_short(
    tmp_path: Path, shipped: TreasuryFile
) -> None:
    path = rows_file(tmp_path, OBLIGATION_COLUMNS, *[f"{i},x,rebates,BTT,1" for i in range(30)])
    with pytest.raises(UserError) as caught:
        obligations_of(path, shipped, 0, "file")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{path}:2: due:")
    assert lines[-1] == f"{path}: and 10 more mistakes"


@pytest.mark.parametrize("content", [b"", b"name,due\n", b"\xff\xfe", b"name;due;function\n"])
def test_a_file_without_its_columns_is_no_list(
    tmp_path: Path, shipped: TreasuryFile, content: bytes
) -> None:
    path = tmp_path / "o.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        obligations_of(path, shipped, 0, "file")
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_said_so(tmp_path: Path, shipped: TreasuryFile) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        obligations_of(tmp_path / "none.csv", shipped, 0, "file")


# --- treasury.toml ------------------------------------------------------------------------------


def policy(**changes: Any) -> Any:
    table = tomlkit.parse(SHIPPED.read_text()).unwrap()
    table.update(changes)
    return table


def fault_of(table: Any) -> str:
    with pytest.raises(UserError) as caught:
        parse_treasury(tomlkit.dumps(table), "t.toml")
    return str(caught.value)


def test_the_shipped_file_is_whole_and_says_the_example_of_the_spec(shipped: TreasuryFile) -> None:
    rows = {row.name: row for row in shipped.limits}
    assert rows["unhedged against 30 days"].share_ppm == 150_000
    assert rows["stake beyond 45 days"].days == 45
    assert rows["40 % on a venue, in all"].share_ppm == 400_000
    (part,) = shipped.buckets[0].float
    assert (part.lower_ppm, part.upper_ppm) == (800_000, 1_200_000)


def test_the_thin_start_is_money_assets_places_buckets_and_what_today_means() -> None:
    table = policy()
    thin = {key: table[key] for key in ("functions", "money", "assets", "places", "buckets")}
    parsed = parse_treasury(tomlkit.dumps({**thin, "liquid": table["liquid"]}), "t.toml")
    assert (parsed.limits, parsed.scores, parsed.files) == ([], [], None)


def test_a_mistake_in_the_policy_is_named_by_its_path() -> None:
    table = policy()
    table["buckets"][0]["reserve_day"] = 1
    assert fault_of(table).startswith("t.toml: buckets[0].reserve_day: unknown key; did you mean")
    table = policy()
    table["limits"][0]["share_ppm"] = "15 %"
    assert "t.toml: limits[0].share_ppm: expected int" in fault_of(table)
    table = policy()
    del table["limits"][0]["share_ppm"]
    assert fault_of(table) == ('t.toml: limits[0].share_ppm: missing; "unhedged exposure" needs it')
    table = policy()
    table["limits"][0]["function"] = "lunch"
    assert fault_of(table) == 't.toml: limits[0].function: "lunch" is none of functions'
    table = policy()
    table["buckets"][0]["float"][0]["venue"] = "nowhere"
    assert '[0].venue: "nowhere" is no venue of [[places]]' in fault_of(table)
    table = policy()
    table["buckets"][0]["float"][0]["target"] = "0.000000001"
    assert "buckets[0].float[0].target: 0.000000001 is finer than 10^-8" in fault_of(table)
    table = policy()
    table["places"][1]["sells_at"] = "cold wallet"
    assert 't.toml: places[1].sells_at: "cold wallet" is no venue' in fault_of(table)
    table = policy()
    table["limits"][1]["name"] = table["limits"][0]["name"]
    assert 't.toml: limits[1]: "unhedged against 30 days" is there twice' in fault_of(table)


def test_a_file_that_is_not_toml_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^t\.toml: not TOML: "):
        parse_treasury("money = [", "t.toml")


# --- facts as JSON ------------------------------------------------------------------------------


def picture(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "at": AT,
        "balances": [{"place": "loopback", "asset": "BTT", "amount": "5"}],
        "books": [
            {
                "venue": "loopback", "asset": "BTT", "quote": "USDT", "at": AT,
                "taker_fee_ppm": 1000, "bids": [["0.00000062", "3"]], "asks": [["0.00000063", "1"]],
            }
        ],
    }  # fmt: skip
    return {**known, **changes}


def keeper_of(table: dict[str, Any], shipped: TreasuryFile) -> Holdings:
    keeper = Holdings(scheme_of(shipped))
    list(told(keeper, parse_facts(table, "f.json"), "f.json"))
    return keeper


def test_a_picture_is_read_in_atoms(shipped: TreasuryFile) -> None:
    found = keeper_of(picture(), shipped).facts()
    assert found.held == {("loopback", "BTT"): 500_000_000}
    book = found.book("loopback", "BTT")
    assert book is not None
    assert (book.bids[0].atoms, book.bids[0].money_atoms) == (300_000_000, 186)


def test_a_price_far_below_one_atom_stays_exact(shipped: TreasuryFile) -> None:
    prices = [{"asset": "BTT", "price": "0.000000000625", "at": AT}]
    found = keeper_of(picture(prices=prices, books=[]), shipped).facts()
    assert found.worth("BTT", 10**8 * 1_000_000) == 62_500
    assert found.cost("BTT", 10**8 + 1) == 1


def test_books_that_are_not_quoted_in_money_and_strange_assets_are_left_out(
    shipped: TreasuryFile,
) -> None:
    table = picture(balances=[{"place": "loopback", "asset": "DUST", "amount": "5"}])
    table["books"][0]["quote"] = "BTC"
    found = keeper_of(table, shipped).facts()
    assert (found.held, found.books) == ({}, {})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"at": "yesterday"}, "f.json: at: "),
        ({"at": "2026-11-21T12:00:00"}, "f.json: at: a time needs its offset"),
        ({"balance": []}, 'f.json: balance: unknown key; did you mean "balances"?'),
        (
            {"balances": [{"place": "moon", "asset": "BTT", "amount": "5"}]},
            'f.json: balances[0].place: "moon" is none of [[places]]',
        ),
        (
            {"balances": [{"place": "loopback", "asset": "BTT", "amount": "-5"}]},
            "f.json: balances[0].amount: must not be negative",
        ),
        (
            {"balances": [{"place": "loopback", "asset": "BTT", "amount": 5}]},
            "f.json: balances[0].amount: expected str, got int",
        ),
        (
            {"prices": [{"asset": "BTT", "price": "0", "at": AT}]},
            "f.json: prices[0].price: a price must be more than 0",
        ),
        (
            {"may_fill": [{"venue": "loopback", "asset": "BTT", "tokens": "many"}]},
            "f.json: may_fill[0].tokens: not a plain decimal: 'many'",
        ),
    ],
)
def test_a_malformed_picture_is_one_line_with_its_path(
    shipped: TreasuryFile, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(UserError) as caught:
        keeper_of(picture(**change), shipped)
    assert str(caught.value).startswith(fault)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("levels", "fault"),
    [
        ([["0.00000061", "1"], ["0.00000062", "1"]], "books[0].bids: the best level must come"),
        ([["0.00000062", "0"]], "books[0].bids[0]: a size must be more than 0"),
        ([["free", "1"]], "books[0].bids[0]: not a plain decimal: 'free'"),
    ],
)
def test_a_book_that_makes_no_sense_is_refused(
    shipped: TreasuryFile, levels: list[list[str]], fault: str
) -> None:
    table = picture()
    table["books"][0]["bids"] = levels
    with pytest.raises(UserError) as caught:
        keeper_of(table, shipped)
    assert str(caught.value).startswith(f"f.json: {fault}")


# --- watching: what held before stays in force --------------------------------------------------


class Stopped:
    """A clock that stands."""

    def now_ns(self) -> int:
        return 1_000

    async def sleep_until(self, at_ns: int) -> None:
        raise NotImplementedError


def watched(directory: Path) -> tuple[Path, Path, Path]:
    """(policy, obligations, locks) of a treasury of its own."""
    paths = directory / "t.toml", directory / "o.csv", directory / "l.csv"
    files = {"obligations": str(paths[1]), "locks": str(paths[2])}
    paths[0].write_text(tomlkit.dumps(policy(files=files)))
    paths[1].write_text((ROOT / "configs" / "treasury_obligations.csv").read_text())
    paths[2].write_text((ROOT / "configs" / "treasury_locks.csv").read_text())
    return paths


def test_a_watched_file_tells_what_is_new_once(tmp_path: Path) -> None:
    _, obligations, _ = watched(tmp_path)
    said: list[str] = []
    watch = TreasuryWatch(tmp_path / "t.toml", Stopped(), said.append)  # type: ignore[arg-type]
    assert [type(fact) for fact in watch.read()] == [LimitsSet, ObligationSet, LockSet]
    assert watch.read() == []
    obligations.write_text(obligations.read_text() + "new,2027-03-01,rebates,BTT,5\n")
    (fact,) = watch.read()
    assert isinstance(fact, ObligationSet)
    assert fact.rows[-1].name == "new"
    assert said == []


def test_a_broken_file_changes_nothing_and_is_told_once_until_it_is_mended(tmp_path: Path) -> None:
    policy_file, obligations, locks = watched(tmp_path)
    said: list[str] = []
    watch = TreasuryWatch(policy_file, Stopped(), said.append)  # type: ignore[arg-type]
    watch.read()
    whole = obligations.read_text()
    obligations.write_text(whole + "bad,never,rebates,BTT,5\n")
    locks.unlink()
    policy_file.write_text("money = [")
    assert watch.read() == []
    assert watch.read() == []
    assert [line.split(": ")[0] for line in said] == [
        str(policy_file), f"{obligations}:7", str(locks),
    ]  # fmt: skip
    obligations.write_text(whole)
    assert watch.read() == []


def test_what_is_read_at_the_start_alone_is_told_and_waits(tmp_path: Path) -> None:
    policy_file, _, _ = watched(tmp_path)
    said: list[str] = []
    watch = TreasuryWatch(policy_file, Stopped(), said.append)  # type: ignore[arg-type]
    watch.read()
    table = tomlkit.parse(policy_file.read_text()).unwrap()
    table["buckets"][0]["discretionary"] = "1"
    policy_file.write_text(tomlkit.dumps(table))
    assert watch.read() == []
    assert said == [f"{policy_file}: buckets: changed; read at the next start"]


def test_a_tightened_limit_is_a_fact_at_the_next_look(tmp_path: Path) -> None:
    policy_file, _, _ = watched(tmp_path)
    watch = TreasuryWatch(policy_file, Stopped(), print)  # type: ignore[arg-type]
    watch.read()
    table = tomlkit.parse(policy_file.read_text()).unwrap()
    table["limits"][0]["share_ppm"] = 100_000
    policy_file.write_text(tomlkit.dumps(table))
    (fact,) = watch.read()
    assert isinstance(fact, LimitsSet)
    assert fact.rows[0].share_ppm == 100_000


def test_a_picture_is_plain_json(shipped: TreasuryFile) -> None:
    table = json.loads(json.dumps(picture()))
    assert keeper_of(table, shipped).facts().held


def test_a_tightened_limit_holds_though_a_section_of_the_start_was_changed_with_it(
    tmp_path: Path,
) -> None:
    policy_file, _, _ = watched(tmp_path)
    said: list[str] = []
    watch = TreasuryWatch(policy_file, Stopped(), said.append)  # type: ignore[arg-type]
    watch.read()
    table = tomlkit.parse(policy_file.read_text()).unwrap()
    table["buckets"][0]["discretionary"] = "1"
    table["limits"][0]["share_ppm"] = 100_000
    policy_file.write_text(tomlkit.dumps(table))
    (fact,) = watch.read()
    assert isinstance(fact, LimitsSet)
    assert fact.rows[0].share_ppm == 100_000
    assert said == [f"{policy_file}: buckets: changed; read at the next start"]


def test_a_limit_of_what_only_the_next_start_knows_is_told_and_changes_nothing(
    tmp_path: Path,
) -> None:
    policy_file, _, _ = watched(tmp_path)
    said: list[str] = []
    watch = TreasuryWatch(policy_file, Stopped(), said.append)  # type: ignore[arg-type]
    watch.read()
    table = tomlkit.parse(policy_file.read_text()).unwrap()
    table["functions"].append("new")
    table["limits"][5]["function"] = "new"
    policy_file.write_text(tomlkit.dumps(table))
    assert watch.read() == []
    assert said == [
        f'{policy_file}: limits[5].function: "new" is none of functions',
        f"{policy_file}: functions: changed; read at the next start",
    ]
