"""Recompute a review from the journal's SQLite file alone, sharing no line with the engine.

    python -m tests.review_truth DATA_DIR REVIEW_JSON

Plain sqlite3 and json. Fills, lots, spread, profit, epoch boundaries, exposure, hedges, ratings and
overrides must be equal to the atom; markouts too, in sessions that were not recorded. The value of
one tick times one lot is taken from the review, since no journal tells it.
"""

import json
import sqlite3
import sys
from bisect import bisect_right
from datetime import UTC, datetime
from pathlib import Path

OWN_SOURCE = "technical rating"
KINDS = (
    "SessionStarted", "SessionEnded", "Opening", "Decision", "Ruled", "RatingSet", "PlaybookSet",
    "Halt", "Resume", "Fill", "HedgeMoved", "HedgeSent", "RiskTripped",
)  # fmt: skip


def rows_of(data_dir):
    """Every reviewed record as a dict with its `kind`, in order."""
    path = Path(data_dir) / "journal.db"
    for name in ("journal.db-ahead-a", "journal.db-ahead-b"):
        ahead = path.with_name(name)
        assert not ahead.exists() or not ahead.stat().st_size, f"{name}: start and stop it once"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    marks = ",".join("?" * len(KINDS))
    sql = f"SELECT kind, body FROM records WHERE kind IN ({marks}) ORDER BY seq"
    found = [{"kind": kind, **json.loads(body)} for kind, body in connection.execute(sql, KINDS)]
    connection.close()
    return found


def sign(row):
    return 1 if row["side"] == "buy" else -1


def sessions_of(rows):
    """[[epoch, began, ended]] with the index of each row's session beside it."""
    sessions, place = [], []
    for row in rows:
        if row["kind"] == "SessionStarted":
            sessions.append([row["epoch"], row["at_ns"], row["at_ns"]])
        elif not sessions:
            sessions.append([0, row["at_ns"], row["at_ns"]])
        sessions[-1][2] = max(sessions[-1][2], row["at_ns"])
        place.append(len(sessions) - 1)
    return sessions, place


def markets_of(rows):
    found = [row["market"] for row in rows if row.get("market")]
    return list(dict.fromkeys(found))


class Truth:
    """One market: a row of running values after each record, and where epochs are cut."""

    def __init__(self, rows, market, tick_lot):
        self.rows, self.market, self.tick_lot = rows, market, tick_lot
        self.sessions, self.place = sessions_of(rows)
        self.sums, self.fills, self.marks = [], [], []
        self._run()

    def _run(self):
        settled, seen = -1, set()
        mark = position = None
        self.covered, covered = [], 0
        cash = net = cost = realised = spread = 0
        for index, row in enumerate(self.rows):
            if row.get("market") == self.market:
                if row["kind"] == "Opening":
                    settled = row["trade_id"]
                if row["kind"] == "HedgeMoved":
                    covered = row["covered_lots"]
                if row["kind"] == "Decision":
                    bid, ask = row["inputs"]["bid_tick"], row["inputs"]["ask_tick"]
                    if bid and ask:
                        mark = bid + ask
                        self.marks.append((row["at_ns"], mark))
                    position = row["inputs"]["position_lots"]
                is_new = row["kind"] == "Fill" and row["trade_id"] not in seen
                if is_new and row["trade_id"] > settled:
                    seen.add(row["trade_id"])
                    lots, paid = sign(row) * row["lots"], row["tick"] * row["lots"] * self.tick_lot
                    flow = -sign(row) * paid
                    net, cost, gained = average_cost(net, cost, lots, flow)
                    realised += gained
                    cash += flow
                    if row["is_maker"] and mark:
                        away = sign(row) * (mark - 2 * row["tick"])
                        spread += away * row["lots"] * self.tick_lot
                    position = None if position is None else position + lots
                    self.fills.append((index, row))
            self.covered.append(covered)
            self.sums.append((mark, position, cash, net, realised, spread))

    def cuts(self):
        """[(first index, one past the last, ruling or None, began, ended)] of each epoch."""
        first = next(i for i, row in enumerate(self.rows) if row.get("market") == self.market)
        starts = []
        for index, row in enumerate(self.rows):
            began = row["kind"] == "SessionStarted" and self._knows(first, index)
            ruled = row["kind"] == "Ruled" and row["market"] == self.market
            if index == first and not self._starts_session(starts, index):
                starts.append((index, None, self.sessions[self.place[index]][1]))
            if began:
                starts.append((index, None, row["at_ns"]))
            if ruled:
                starts.append((index, row, row["at_ns"]))
        ends = [start for start, _, _ in starts[1:]] + [len(self.rows)]
        return [
            (start, end, ruled, at, self._ended(end))
            for (start, ruled, at), end in zip(starts, ends, strict=True)
        ]

    def _knows(self, first, index):
        return index > first

    def _starts_session(self, starts, index):
        return any(self.rows[start]["kind"] == "SessionStarted" for start, _, _ in starts[-1:])

    def _ended(self, end):
        if end == len(self.rows):
            return self.sessions[-1][2]
        if self.rows[end]["kind"] == "SessionStarted":
            return self.sessions[self.place[end] - 1][2]
        return self.rows[end]["at_ns"]

    def at(self, index):
        """(mark, position, equity, net, realised, spread) before the record at `index`."""
        if not index:
            return 0, None, 0, 0, 0, 0
        mark, position, cash, net, realised, spread = self.sums[index - 1]
        mark = mark or 0
        return mark, position, (2 * cash + mark * net * self.tick_lot) // 2, net, realised, spread

    def epochs(self):
        return [self._epoch(*cut) for cut in self.cuts()]

    def _epoch(self, start, end, ruled, began, ended):
        before, after = self.at(start), self.at(end)
        mine = [row for index, row in self.fills if start <= index < end]
        carried = before[3] * (after[0] - before[0]) * self.tick_lot // 2 if before[0] else 0
        profit = after[2] - before[2]
        stood = [s[1] for s in self.sums[start:end] if s[1] is not None]
        stood += [before[1]] if before[1] is not None else []
        decided = [
            (row, self.covered[index])
            for index, row in enumerate(self.rows[:end])
            if index >= start and row["kind"] == "Decision" and row["market"] == self.market
        ]
        worst = [
            row["inputs"]["position_lots"] + sum(b["lots"] for b in row["ladder"]["bids"]) - covered
            for row, covered in decided
        ]
        fees = {}
        for row in mine:
            fees[row["fee_asset"]] = fees.get(row["fee_asset"], 0) + row["fee_atoms"]
        return {
            "row": ruled["row"] if ruled else "",
            "answers": ruled["answers"] if ruled else {},
            "began_ns": began,
            "ended_ns": max(began, ended),
            "decisions": len(decided),
            "fills": len(mine),
            "maker_fills": sum(row["is_maker"] for row in mine),
            "bought_lots": sum(row["lots"] for row in mine if sign(row) > 0),
            "sold_lots": sum(row["lots"] for row in mine if sign(row) < 0),
            "turnover_atoms": sum(row["tick"] * row["lots"] for row in mine) * self.tick_lot,
            "spread_atoms": after[5] // 2 - before[5] // 2,
            "profit_atoms": profit,
            "carried_atoms": carried,
            "trading_atoms": profit - carried,
            "realised_atoms": after[4] - before[4],
            "fees": fees,
            "position_end": after[1],
            "position_low": min(stood, default=None),
            "position_high": max(stood, default=None),
            "worst_lots": max(worst, default=None),
        }

    def markouts(self, start, end, horizon):
        """(fills judged, half atoms) of the maker fills between two records."""
        moments, count, total = [at for at, _ in self.marks], 0, 0
        for index, row in self.fills:
            due = row["at_ns"] + horizon
            found = bisect_right(moments, due)
            is_late = due > self.sessions[self.place[index]][2]
            if start <= index < end and row["is_maker"] and found and not is_late:
                count += 1
                away = sign(row) * (self.marks[found - 1][1] - 2 * row["tick"])
                total += away * row["lots"] * self.tick_lot
        return count, total


def average_cost(net, cost, lots, cash):
    """(net, cost, realised) after a fill: what points back closes at its average, floored."""
    gained = 0
    if net * lots < 0:
        closing = min(abs(net), abs(lots))
        closed, received = cost * closing // abs(net), cash * closing // abs(lots)
        gained, cost, cash = received - closed, cost - closed, cash - received
    return net + lots, cost - cash, gained


def overrides_of(rows):
    """[(at, market, kind, row in force)] of all words of people that went past the rules."""
    rules, own, known, found = {}, {}, [], []
    for row in rows:
        if row.get("market") and row["market"] not in known:
            known.append(row["market"])
        if row["kind"] == "Ruled":
            rules[row["market"]] = row["row"]
        for market in [row["market"]] if row.get("market") else list(known):
            if row["kind"] == "RatingSet" and row["source"] == OWN_SOURCE:
                own[market, row.get("span_ns", 0)] = row
            elif row["kind"] == "RatingSet" and row["source"] != "config":
                mine = [each for (name, _), each in own.items() if name == market]
                if any(each["at_ns"] <= row["at_ns"] < each["expires_ns"] for each in mine):
                    found.append((row["at_ns"], market, "rating", rules.get(market, "")))
            elif row["kind"] in ("Halt", "Resume", "PlaybookSet") and row["who"] != "config":
                kind = row["kind"].removesuffix("Set").lower()
                found.append((row["at_ns"], market, kind, rules.get(market, "")))
    return found


def slippage_of(rows, tick_lots):
    """Half atoms paid beyond the mid by hedges, by (quoted market, hedge market)."""
    sent, paid, seen, settled = {}, {}, set(), {}
    for row in rows:
        if row["kind"] == "HedgeSent":
            sent[row["client_id"]] = row
        if row["kind"] == "Opening":
            settled[row["market"]] = row["trade_id"]
        if row["kind"] != "Fill":
            continue
        name = row["market"], row["trade_id"]
        if name in seen or row["trade_id"] <= settled.get(row["market"], -1):
            continue
        seen.add(name)
        if row["client_id"] not in sent:
            continue
        order = sent[row["client_id"]]
        cost = sign(row) * (2 * row["tick"] - order["mid_half_ticks"])
        key = order["market"], row["market"]
        paid[key] = paid.get(key, 0) + cost * row["lots"] * tick_lots[row["market"]]
    return paid


def differences(rows, review):
    """What of `review` is not so, one line each; none for a true one."""
    wrong = []
    told = {market["market"]: market for market in review["markets"]}
    if sorted(told) != sorted(markets_of(rows)):
        return [f"markets {sorted(told)} are not {sorted(markets_of(rows))}"]
    recorded = {each["epoch"] for each in review["sessions"] if each["recorded"]}
    for name, market in told.items():
        truth = Truth(rows, name, market["tick_lot_atoms"])
        wrong += market_differences(truth, market, recorded, review["since_ns"])
    wrong += override_differences(rows, review)
    tick_lots = {name: market["tick_lot_atoms"] for name, market in told.items()}
    if not review["since_ns"]:
        paid = {key: half // 2 for key, half in slippage_of(rows, tick_lots).items()}
        theirs = {
            (name, other): atoms
            for name, market in told.items()
            for other, atoms in market["totals"]["slippage_atoms"].items()
        }
        wrong += [f"slippage {theirs} is {paid}"] if theirs != paid else []
    return wrong


def market_differences(truth, market, recorded, since_ns):
    wrong, epochs, cuts = [], truth.epochs(), truth.cuts()
    late = [i for i, epoch in enumerate(epochs) if epoch["ended_ns"] >= since_ns]
    if [i + 1 for i in late] != [each["number"] for each in market["epochs"]]:
        return [f"{truth.market}: {len(market['epochs'])} epochs told, {len(late)} found"]
    for index, theirs in zip(late, market["epochs"], strict=True):
        flat = {**theirs["outcome"], **theirs}
        where = f"{truth.market} epoch {index + 1}"
        for name, value in epochs[index].items():
            if flat[name] != value:
                wrong.append(f"{where}: {name} told {flat[name]}, found {value}")
        for mark in theirs["outcome"]["markouts"] if theirs["session"] not in recorded else ():
            found = truth.markouts(*cuts[index][:2], mark["horizon_ns"])
            if found != (mark["fills"], mark["half_atoms"]):
                wrong.append(f"{where}: markout {mark} found {found}")
    for name, value in market["totals"].items():
        if name in epochs[0] and isinstance(value, int) and "position" not in name:
            found = [epochs[i][name] for i in late]
            known = [each for each in found if each is not None]
            whole = max(known, default=None) if name == "worst_lots" else sum(known)
            wrong += [f"total {name}: told {value}, found {whole}"] if value != whole else []
    return wrong


def override_differences(rows, review):
    found = [each for each in overrides_of(rows) if each[0] >= review["since_ns"]]
    words = review["overrides"]["words"]
    theirs = [(w["at_ns"], w["market"], w["kind"], w["row"]) for w in words]
    wrong = [] if theirs == found else [f"overrides told {theirs}, found {found}"]
    days, by_row = {}, {}
    for at_ns, market, _, row in found:
        day = datetime.fromtimestamp(at_ns // 10**9, UTC).date().isoformat()
        days[day] = days.get(day, 0) + 1
        mine = by_row.setdefault(market, {})
        mine[row] = mine.get(row, 0) + 1
    if review["overrides"]["by_day"] != days or review["overrides"]["by_row"] != by_row:
        wrong.append(f"overrides by day {days} and by row {by_row} are told otherwise")
    return wrong


def main(data_dir, review_file):
    review = json.loads(Path(review_file).read_text().splitlines()[-1])
    wrong = differences(rows_of(data_dir), review)
    for line in wrong:
        print(line)
    epochs = sum(len(market["epochs"]) for market in review["markets"])
    fills = sum(market["totals"]["fills"] for market in review["markets"])
    print(f"{epochs} epochs, {fills} fills: {'WRONG' if wrong else 'the review is true'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
