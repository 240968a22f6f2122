"""The figures of a quarter's report, worked out again from the ledger by somebody else.

    python tests/quarter_truth.py DIRECTORY [--days 91 [--within-s 60]]

Reads what `ballast treasury quarter --out DIRECTORY` left: `ledger.csv` (the postings), and of
`journal.jsonl` only what no posting says: what was owed, when an action was asked for and ended,
what a staged order's mid and estimate were, and that a limit was passed. From `facts.json` it takes
the two best prices of each book, and from `treasury.toml` targets, places and hours. It imports
nothing of the engine, and knows none of its formulas but what docs/treasury_reports.md says.
"""

import base64
import csv
import json
import sys
import tomllib
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9
COVER_DAYS = 30
MONEY = "USDT"
SELLS = {"convert", "rebalance", "emergency sale"}
UNLOCKS = {"unstake", "take from pool"}
PLANNED = {"opening", "payment", "transfer in"}


class Quarter:
    """What the files say, and nothing more."""

    def __init__(self, place: Path) -> None:
        with (place / "ledger.csv").open() as stream:
            self.postings = [
                {**row, "atoms": int(row["atoms"]), "when_ns": int(row["when_ns"])}
                for row in csv.DictReader(stream)
            ]
        lines = (place / "journal.jsonl").read_text().splitlines()
        self.journal = [json.loads(line) for line in lines]
        self.facts = json.loads((place / "facts.json").read_text())
        self.policy = tomllib.loads((place / "treasury.toml").read_text())
        moment = datetime.fromisoformat(self.facts["at"])
        whole = moment.replace(microsecond=0)
        self.end_ns = (
            int(whole.timestamp()) * 10**9 + (moment - whole) // timedelta(microseconds=1) * 1_000
        )

    def rows(self, kind: str) -> list[dict]:
        return [line["record"] for line in self.journal if line["kind"] == kind]

    def held(self, kind: str = "holdings") -> dict[tuple[str, str], int]:
        """By (place, asset), from the postings alone."""
        found: dict[tuple[str, str], int] = {}
        for row in self.postings:
            name, _, place = row["account"].partition(" ")
            if name == kind:
                key = (place, row["asset"])
                found[key] = found.get(key, 0) + row["atoms"]
        return found

    def mids(self, asset: str) -> list[Fraction]:
        """Money for one token, of each book that stands now."""
        if asset == MONEY:
            return [Fraction(1)]
        return [
            (Fraction(Decimal(book["bids"][0][0])) + Fraction(Decimal(book["asks"][0][0]))) / 2
            for book in self.facts["books"]
            if book["asset"] == asset and book["at"] == self.facts["at"]
        ]


# --- is it whole? -------------------------------------------------------------------------------


def unbalanced(quarter: Quarter) -> list[str]:
    """Entries whose postings do not come to zero in each asset."""
    sums: dict[tuple[str, str], int] = {}
    for row in quarter.postings:
        key = (row["number"], row["asset"])
        sums[key] = sums.get(key, 0) + row["atoms"]
    return [f"entry {number}: {asset}" for (number, asset), atoms in sums.items() if atoms]


def differences(quarter: Quarter) -> list[str]:
    """Places that do not hold what the ledger says, at the end."""
    ours = quarter.held()
    told = {
        (row["place"], row["asset"]): int(Decimal(row["amount"]) * 10**8)
        for row in quarter.facts["balances"]
    }
    return [
        f"{place} {asset}: {ours.get((place, asset), 0)} in the ledger, {atoms} there"
        for (place, asset), atoms in told.items()
        if ours.get((place, asset), 0) != atoms
    ]


def late(quarter: Quarter, within_ns: int = 0) -> list[str]:
    """What fell due and was not paid in full within so long from the first moment of its day, by
    the ledger."""
    paid: dict[str, list[tuple[int, str, int]]] = {}
    for row in quarter.postings:
        kind, _, function = row["account"].partition(" ")
        if kind == "paid":
            for place in ("cold wallet", "custodian", "alpha", "beta"):
                start = f"payment {place} "
                if row["key"].startswith(start):
                    name = row["key"].removeprefix(start).partition(" (")[0]
                    paid.setdefault(name, []).append((row["when_ns"], function, row["atoms"]))
    found = []
    for row in quarter.rows("ObligationSet")[0]["rows"]:
        due_ns = row["due"] * DAY_NS
        if due_ns > quarter.end_ns:
            continue
        parts = paid.get(row["name"], [])
        is_whole = sum(atoms for _, _, atoms in parts) == row["atoms"]
        is_right = all(ns <= due_ns + within_ns and to == row["function"] for ns, to, _ in parts)
        if not (is_whole and is_right):
            found.append(row["name"])
    return found


def unsigned(quarter: Quarter) -> list[str]:
    """What began before the people had signed that its tier needs, or by who asked for it."""
    roles = {row["name"]: row["role"] for row in quarter.rows("RosterSet")[0]["people"]}
    needs = {"two people": {"finance", "operations"}, "executive": {"executive"}}
    tiers, asked, signed, found = {}, {}, {}, []
    for line in quarter.journal:
        row = line["record"]
        match line["kind"]:
            case "Proposed":
                tiers[row["name"]] = row["ruling"]["tier"]
                asked[row["name"]] = json.loads(base64.b64decode(row["body"]))["who"]
            case "Reconsidered":
                tiers[row["name"]] = row["ruling"]["tier"]
            case "Endorsed":
                signed.setdefault(row["name"], []).append(row["who"])
            case "Executing":
                people = signed.get(row["name"], [])
                missing = needs.get(tiers[row["name"]], set()) - {roles[who] for who in people}
                if missing or asked[row["name"]] in people:
                    found.append(row["name"])
    return found


# --- the five figures -----------------------------------------------------------------------------


def slippage(quarter: Quarter, from_ns: int) -> tuple[Fraction, Fraction] | None:
    """(realised, expected), as shares of the worth at the mids, over orders that ended since."""
    plans = {row["plan"]["parent"]: row["plan"] for row in quarter.rows("ParentStarted")}
    ended = {row["parent"] for row in quarter.rows("Reviewed") if row["at_ns"] > from_ns}
    sold: dict[str, list[int]] = {name: [0, 0] for name in ended}
    for row in quarter.postings:
        parent = row["text"].partition("; parent ")[2].partition(",")[0]
        if row["reason"] == "conversion" and parent in ended:
            kind = row["account"].partition(" ")[0]
            if kind == "trades":  # what the market got and gave, before the fee
                sold[parent][row["asset"] == MONEY] += abs(row["atoms"])
    worth = lost = expected = Fraction(0)
    for name, (atoms, money) in sold.items():
        mid, base = plans[name]["mid"]
        at_mid = Fraction(atoms * mid, base)
        worth += at_mid
        lost += at_mid - money
        expected += at_mid * plans[name]["estimate_ppm"] / 10**6
    return (lost / worth, expected / worth) if worth else None


def hours_to_cash(quarter: Quarter, from_ns: int) -> list[Fraction]:
    asked = {}
    for row in quarter.rows("Proposed"):
        request = json.loads(base64.b64decode(row["body"]))
        inner = request["action"].get("does", request["action"])
        if inner["type"] in SELLS | UNLOCKS:
            asked[request["name"]] = request["at_ns"]
    return [
        Fraction(row["at_ns"] - asked[row["name"]], HOUR_NS)
        for row in quarter.rows("Executed")
        if row["ending"] == "done" and row["name"] in asked and row["at_ns"] > from_ns
    ]


def covered(quarter: Quarter) -> Fraction:
    """Of what falls due within 30 days, by what is cash within the headline's hours."""
    hours = quarter.policy["liquid"]["within_h"]
    near = {row["name"] for row in quarter.policy["places"] if row["cash_h"] <= hours}
    ready: dict[str, int] = {}
    for (place, asset), atoms in quarter.held().items():
        if place in near:
            ready[asset] = ready.get(asset, 0) + atoms
    paid = {row["name"] for row in quarter.rows("ObligationPaid")}
    last = quarter.end_ns // DAY_NS + COVER_DAYS
    owed: dict[str, int] = {}
    for row in quarter.rows("ObligationSet")[0]["rows"]:
        if row["name"] not in paid and row["due"] <= last:
            owed[row["asset"]] = owed.get(row["asset"], 0) + row["atoms"]
    whole = met = Fraction(0)
    for asset, atoms in owed.items():
        price = max(quarter.mids(asset))
        own = min(atoms, ready.get(asset, 0))
        ready[asset] = ready.get(asset, 0) - own
        whole, met = whole + atoms * price, met + own * price
    stables = [row["name"] for row in quarter.policy["assets"] if row["is_stable"]]
    spare = sum(ready.get(name, 0) * min(quarter.mids(name)) for name in [*stables, MONEY]
                if ready.get(name))  # fmt: skip
    return (met + min(whole - met, spare)) / whole if whole else Fraction(1)


def drift(quarter: Quarter, from_ns: int) -> dict[tuple[str, str], Fraction]:
    """By (venue, asset): what nobody decided, as a share of the float's target."""
    found = {}
    for bucket in quarter.policy["buckets"]:
        for row in bucket["float"]:
            account = f"holdings {row['venue']}"
            moved = sum(
                each["atoms"]
                for each in quarter.postings
                if (each["account"], each["asset"]) == (account, bucket["asset"])
                and each["when_ns"] > from_ns
                and not each["proposal"]
                and each["reason"] not in PLANNED
            )
            target = int(Decimal(row["target"]) * 10**8)
            found[row["venue"], bucket["asset"]] = Fraction(moved, target)
    return found


# --- two limits, without any price ----------------------------------------------------------------


def largest_share(quarter: Quarter, asset: str) -> Fraction:
    """The most that one venue ever had of what was free anywhere, in tokens."""
    held: dict[str, int] = {}
    most, number = Fraction(0), ""
    venues = [row["name"] for row in quarter.policy["places"] if row["kind"] == "venue"]
    openings = sum(row["reason"] == "opening" for row in quarter.postings)
    for count, row in enumerate(quarter.postings):
        if row["number"] != number and count >= openings and sum(held.values()):
            whole = sum(held.values())
            most = max([most, *(Fraction(held.get(venue, 0), whole) for venue in venues)])
        number = row["number"]
        kind, _, place = row["account"].partition(" ")
        if kind == "holdings" and row["asset"] == asset:
            held[place] = held.get(place, 0) + row["atoms"]
    return most


def largest_turnover(quarter: Quarter, asset: str) -> int:
    """The most that was bought and sold within any 24 hours, in atoms."""
    trades = [
        (row["when_ns"], abs(row["atoms"]))
        for row in quarter.postings
        if row["account"].startswith("trades ") and row["asset"] == asset
    ]
    return max(
        (sum(atoms for at_ns, atoms in trades if end_ns - DAY_NS < at_ns <= end_ns)
         for end_ns, _ in trades), default=0,
    )  # fmt: skip


def truth(place: Path, days: int, within_s: int = 0) -> dict[str, object]:
    """Everything, as plain numbers."""
    quarter = Quarter(place)
    from_ns = quarter.end_ns - days * DAY_NS
    slip, spans = slippage(quarter, from_ns), hours_to_cash(quarter, from_ns)
    passed = [r for r in quarter.rows("LimitMoved") if r["breached"] and r["at_ns"] > from_ns]
    drifts = drift(quarter, from_ns)
    return {
        "unbalanced": unbalanced(quarter),
        "differences": differences(quarter),
        "late": late(quarter, within_s * 10**9),
        "unsigned": unsigned(quarter),
        "realised slippage": None if slip is None else float(slip[0]),
        "expected slippage": None if slip is None else float(slip[1]),
        "time to liquidity": float(sum(spans) / len(spans)) if spans else None,
        "longest": float(max(spans)) if spans else None,
        "covered": float(covered(quarter)),
        "policy breaches": len(passed),
        "largest share": float(largest_share(quarter, "BTT")),
        "largest turnover": largest_turnover(quarter, "BTT"),
        "unplanned drift": float(max(abs(share) for share in drifts.values())),
        "drifts": {f"{venue} {asset}": float(share) for (venue, asset), share in drifts.items()},
        "held": {f"{where} {asset}": atoms for (where, asset), atoms in quarter.held().items()},
    }


if __name__ == "__main__":
    chosen = sys.argv[1:]
    wanted = int(chosen[2]) if len(chosen) > 2 else 366
    patience = int(chosen[4]) if len(chosen) > 4 else 0
    print(json.dumps(truth(Path(chosen[0]), wanted, patience), indent=1))
