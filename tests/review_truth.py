"""Recompute a review from the journal's SQLite file alone, sharing no line with the engine.

    python -m tests.review_truth DATA_DIR REVIEW_JSON

Plain sqlite3 and json. Fills, lots, spread, profit, epoch boundaries, exposure, hedges, ratings and
overrides must be equal to the atom; markouts too, in sessions that were not recorded. The value of
one tick times one lot, and of a lot in base atoms, is taken from the review and held against what
the journal says of a market, where it does; the time frame of policy is the review's.
"""

import json
import sqlite3
import sys
from bisect import bisect_right
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

OWN_SOURCE = "technical rating"
KINDS = (
    "SessionStarted", "SessionEnded", "Opening", "Decision", "Ruled", "RatingSet", "PlaybookSet",
    "Halt", "Resume", "Fill", "HedgeMoved", "HedgeSent", "RiskTripped",
)  # fmt: skip


def rows_of(data_dir, kinds=KINDS):
    """Every record of those kinds as a dict with its `kind`, in order."""
    path = Path(data_dir) / "journal.db"
    for name in ("journal.db-ahead-a", "journal.db-ahead-b"):
        ahead = path.with_name(name)
        assert not ahead.exists() or not ahead.stat().st_size, f"{name}: start and stop it once"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    marks = ",".join("?" * len(kinds))
    sql = f"SELECT kind, body FROM records WHERE kind IN ({marks}) ORDER BY seq"
    found = [{"kind": kind, **json.loads(body)} for kind, body in connection.execute(sql, kinds)]
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

    def __init__(self, rows, told):
        self.rows, self.market = rows, told["market"]
        self.tick_lot, self.lot_base = told["tick_lot_atoms"], told["lot_base_atoms"]
        self.sessions, self.place = sessions_of(rows)
        self.sums, self.fills, self.marks = [], [], []
        self._run()

    def _run(self):
        settled, seen = -1, set()
        mark = position = None
        self.covered, covered = [], 0
        cash = net = cost = realised = spread = 0
        is_known = False
        for index, row in enumerate(self.rows):
            is_known = is_known or row.get("market") == self.market
            is_hedge = row["kind"] == "HedgeSent" and row["hedge_market"] == self.market
            if is_hedge and is_known and row["mid_half_ticks"]:
                mark = row["mid_half_ticks"]
                self.marks.append((row["at_ns"], mark))
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
            "fees_atoms": self._fees_atoms(fees, after[0]),
            "position_end": after[1],
            "position_low": min(stood, default=None),
            "position_high": max(stood, default=None),
            "worst_lots": max(worst, default=None),
        }

    def _fees_atoms(self, fees, mark):
        """Fees in quote atoms at a mark, rounded up; None where that cannot be told."""
        base, quote = self.market.split("@")[0].split("/")
        if self.lot_base is None or any(n for a, n in fees.items() if a not in (base, quote)):
            return None
        if fees.get(base) and not mark:
            return None
        value = Fraction(fees.get(base, 0) * mark * self.tick_lot, 2 * self.lot_base)
        return fees.get(quote, 0) + ceil(value)

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
            if row["kind"] == "RatingSet" and row["source"] == OWN_SOURCE and row["span_ns"]:
                own[market, row["span_ns"]] = row
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
    for market in told.values():
        truth = Truth(rows, market)
        wrong += market_differences(truth, market, recorded, review["since_ns"])
        wrong += real_differences(rows, truth, told)
    wrong += override_differences(rows, review)
    wrong += rating_differences(rows, review, told)
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
    fees, profit = ([epochs[i][name] for i in late] for name in ("fees_atoms", "profit_atoms"))
    net = None if None in fees else sum(profit) - sum(fees)
    told = market["totals"]["net_atoms"]
    wrong += [f"{truth.market}: after fees told {told}, found {net}"] if told != net else []
    return wrong


def real_differences(rows, truth, told):
    """Whole sessions that stand beside replays: profit after fees and after hedges elsewhere."""
    wrong, market = [], told[truth.market]
    cuts, epochs = truth.cuts(), truth.epochs()
    for lived in market["lived_again"]:
        mine = [
            epoch
            for epoch, cut in zip(epochs, cuts, strict=True)
            if truth.sessions[truth.place[cut[0]]][0] == lived["session"]
        ]
        found = {
            name: sum(epoch[name] for epoch in mine)
            for name in ("fills", "bought_lots", "sold_lots", "spread_atoms")
        }
        fees = [epoch["fees_atoms"] for epoch in mine]
        found["net_atoms"] = sum(e["profit_atoms"] for e in mine)
        found["net_atoms"] = None if None in fees or not mine else found["net_atoms"]
        if found["net_atoms"] is not None:
            found["net_atoms"] += hedged(rows, truth, told, lived["session"]) - sum(fees)
        real = {name: lived["real"][name] for name in found}
        wrong += (
            [f"session {lived['session']}: told {real}, found {found}"] if real != found else []
        )
    return wrong


def hedged(rows, truth, told, session):
    """What a session's hedges in other markets earned by its end, in atoms of the quoted one."""
    sent = [(i, row) for i, row in enumerate(rows) if row["kind"] == "HedgeSent"]
    total = 0
    for name, other in told.items():
        if name == truth.market:
            continue
        there = Truth(rows, other)
        base, quote = name.split("@")[0].split("/")
        end = max(i for i, place in enumerate(truth.place) if truth.sessions[place][0] == session)
        cash = lots = base_fees = 0
        for index, row in there.fills:
            orders = [o for i, o in sent if i < index and o["client_id"] == row["client_id"]]
            is_mine = truth.sessions[truth.place[index]][0] == session
            if not orders or orders[-1]["market"] != truth.market or not is_mine:
                continue
            cash -= sign(row) * row["tick"] * row["lots"] * there.tick_lot
            lots += sign(row) * row["lots"]
            cash -= row["fee_atoms"] if row["fee_asset"] == quote else 0
            base_fees += row["fee_atoms"] if row["fee_asset"] == base else 0
        value = there.at(end + 1)[0] * there.tick_lot
        fee = ceil(Fraction(base_fees * value, 2 * (there.lot_base or 1)))
        finer = told[truth.market]["exponent"] - other["exponent"] if other["exponent"] else 0
        total += floor((cash + value * lots // 2 - fee) * Fraction(10) ** finer)
    return total


SIGNS = {"strong sell": -1, "sell": -1, "neutral": 0, "buy": 1, "strong buy": 1}


def changes_of(rows, market, policy_ns):
    """[(row, label before, heard, ended)] of one market, in order."""
    first = next((i for i, r in enumerate(rows) if r.get("market") == market), len(rows))
    words = [
        (index, row)
        for index, row in enumerate(rows)
        if row["kind"] == "RatingSet" and row["market"] in ("", market) and index >= first
    ]
    channels = {}
    for index, word in words:
        is_own = word["source"] == OWN_SOURCE and word["span_ns"] > 0
        channels.setdefault(word["span_ns"] if is_own else None, []).append((index, word))
    told, found = channels.get(None, []), []
    for span, said in channels.items():
        for run in runs_of(said, span is None, sessions_of(rows)[0][-1][2]):
            index, word = run["first"]
            earlier = [each for place, each in told if place < index]
            is_free = not earlier or earlier[-1]["expires_ns"] <= word["at_ns"]
            heard = span is None or (is_free and span == (policy_ns or span))
            found.append((index, word, run["before"], heard, run["ended"]))
    return [each[1:] for each in sorted(found, key=lambda each: each[0])]


def runs_of(said, is_told, last_ns):
    """One dict for each stretch of the same label; what is told from outside ends by expiry."""
    runs, last = [], None
    for index, word in said:
        lapsed = last is not None and is_told and last["expires_ns"] <= word["at_ns"]
        if last is None or lapsed or last["label"] != word["label"]:
            if runs:
                runs[-1]["ended"] = last["expires_ns"] if lapsed else word["at_ns"]
            before = "" if last is None or lapsed else last["label"]
            runs.append({"first": (index, word), "before": before, "ended": 0})
        last = word
    if is_told and last is not None and last["expires_ns"] <= last_ns:
        runs[-1]["ended"] = last["expires_ns"]
    return runs


def rating_differences(rows, review, told):
    wrong = []
    names = ("at_ns", "before", "label", "was_heard", "ended_ns", "verdict")
    for name, market in told.items():
        truth, found = Truth(rows, market), []
        moments = [at for at, _ in truth.marks]
        for word, before, heard, ended in changes_of(rows, name, market["policy_span_ns"]):
            start = truth.at(next(i for i, row in enumerate(rows) if row is word))[0]
            late = bisect_right(moments, ended) if ended else 0
            end = truth.marks[late - 1][1] if late else 0
            towards = SIGNS[word["label"]] * (end - start)
            is_judged = heard and SIGNS[word["label"]] and start and end
            verdict = ("right" if towards > 0 else "false") if is_judged else ""
            if word["at_ns"] >= review["since_ns"]:
                found.append((word["at_ns"], before, word["label"], heard, ended, verdict))
        changes = [each for each in review["rating_changes"] if each["market"] == name]
        theirs = [tuple(each[n] for n in names) for each in changes]
        wrong += [f"{name}: ratings told {theirs}, found {found}"] if theirs != found else []
        verdicts = [each[-1] for each in found if each[-1]]
        counts = market["false_positives"]
        pair = counts["ratings_judged"], counts["ratings_false"]
        if pair != (len(verdicts), verdicts.count("false")):
            wrong.append(f"{name}: false positives told {counts}, found {verdicts}")
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


def unit_differences(rows, review):
    """What a tick of a lot and a lot are worth, where the journal says so."""
    told = {each["market"]: each for each in review["markets"]}
    wrong, last = [], {row["market"]: row["instrument"] for row in rows}
    for market, item in last.items():
        if market not in told:
            continue
        digits = max(8, item["price_exponent"] + item["size_exponent"])
        raised = 10 ** (digits - item["price_exponent"] - item["size_exponent"])
        tick_lot = item["tick"] * item["lot"] * raised
        lot_base = item["lot"] * 10 ** (max(8, item["size_exponent"]) - item["size_exponent"])
        found = digits, tick_lot, lot_base
        names = "exponent", "tick_lot_atoms", "lot_base_atoms"
        theirs = tuple(told[market][name] for name in names)
        wrong += [f"{market}: units told {theirs}, found {found}"] if theirs != found else []
    return wrong


def main(data_dir, review_file):
    review = json.loads(Path(review_file).read_text().splitlines()[-1])
    wrong = differences(rows_of(data_dir), review)
    wrong += unit_differences(rows_of(data_dir, ("Listed",)), review)
    for line in wrong:
        print(line)
    epochs = sum(len(market["epochs"]) for market in review["markets"])
    fills = sum(market["totals"]["fills"] for market in review["markets"])
    print(f"{epochs} epochs, {fills} fills: {'WRONG' if wrong else 'the review is true'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
