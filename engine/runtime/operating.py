"""What a person may ask a running engine over the control socket, and what becomes of it."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from engine.runtime.live import Live
from engine.trading.account_view import account_view, book_ns
from engine.trading.report import market_status, why
from engine.values.errors import UserError
from engine.values.events import Event, Halt, RatingLabel, RatingSet, Resume
from engine.values.units import NS_PER_S, Ns

RATING_TTL_S_MAX = 30 * 86_400
PLAYBOOK_VERBS = "engine.runtime.playbook_verbs"
TREASURY_VERBS = "engine.runtime.treasury_verbs"


class Operating:
    """The handler of the control socket. It asks and reports; the engine decides."""

    def __init__(self, live: Live, name: str, mode: str) -> None:
        self._live = live
        self._name = name
        self._mode = mode
        self._began_ns = live.clock.now_ns()

    async def handle(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """Answer one verb. Raises UserError, whose text the client shows."""
        match verb:
            case "status":
                return self.status()
            case "account":
                return self.account()
            case "why":
                return {"markets": [self._why(market) for market in self._named(args)]}
            case "playbook":
                return await self._load(args)
            case "what-if":
                return self._what_if(args)
            case "halt" | "resume" | "rating":
                return await self._tell(verb, args)
            case "treasury":
                verbs: Any = import_module(TREASURY_VERBS)
                answer: dict[str, Any] = await verbs.handle(self._live, args)
                return answer
            case "stop":
                return await self._stop(str(args["who"]))
            case _:
                raise UserError(f"no verb {verb[:40]!r}")

    def status(self) -> dict[str, Any]:
        live, now_ns = self._live, self._live.clock.now_ns()
        engine = live.engine
        return {
            "name": self._name,
            "mode": self._mode,
            "up_s": (now_ns - self._began_ns) / NS_PER_S,
            "processed": live.processed,
            "waiting": len(live.inbox),
            "merged": live.inbox.merged,
            "slowest_ms": live.slowest_ns / 1_000_000,
            "lag_ms_worst": engine.disturbances.lag_ns_worst / 1_000_000,
            "quarantined": engine.disturbances.quarantined,
            "markets": [
                market_status(maker, now_ns)
                | {"treasury": engine.neighbours.treasury_told(maker.market)}
                for maker in engine.makers.values()
            ],
        }

    def account(self) -> dict[str, Any]:
        """Balances and books of every market, as `engine.runtime.treasury_facts` reads them."""
        makers, now_ns = list(self._live.engine.makers.values()), self._live.clock.now_ns()
        seen = {maker.market: book_ns(maker, now_ns) for maker in makers}
        moments = {market: moment_text(at_ns) for market, at_ns in seen.items() if at_ns}
        picture = account_view(makers, moment_text(now_ns), moments)
        treasurer = self._live.engine.neighbours.treasurer
        return picture if treasurer is None else treasurer.account(picture, moment_text)

    def _why(self, market: str) -> dict[str, Any]:
        found = why(self._live.engine.makers[market], self._live.clock.now_ns())
        return found | {"treasury": self._live.engine.neighbours.treasury_told(market)}

    def _named(self, args: dict[str, Any]) -> list[str]:
        """Markets by full name or symbol; none named is all. Raises UserError."""
        wanted = str(args.get("symbol") or "")
        markets = list(self._live.engine.makers)
        found = [m for m in markets if not wanted or wanted in (m, m.partition("@")[0])]
        if not found:
            raise UserError(f"no market {wanted[:40]!r}; this engine runs {', '.join(markets)}")
        return found

    async def _tell(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """Put a person's word into the inbox, one for each market that it names."""
        now_ns = self._live.clock.now_ns()
        if verb != "rating" and not args.get("reason"):
            raise UserError(f"{verb} needs a reason")
        for market in self._named(args):
            await self._live.tell(_word(verb, market, args, now_ns))
        await self._live.durable()
        return {"markets": [self._why(market) for market in self._named(args)]}

    async def _load(self, args: dict[str, Any]) -> dict[str, Any]:
        """Every market that is named takes the playbook, or none does."""
        makers, now_ns = self._live.engine.makers, self._live.clock.now_ns()
        verbs: Any = import_module(PLAYBOOK_VERBS)
        named = self._named(args)
        if not args.get("symbol"):
            named = [name for name in named if makers[name].quoter.guidance.advice is not None]
        words = [verbs.load_word(makers[name], args, now_ns) for name in named]
        if not words:
            raise UserError("no market of this engine has a playbook")
        for word in words:
            await self._live.tell(word)
        await self._live.durable()
        return {"markets": [self._why(name) for name in named]}

    def _what_if(self, args: dict[str, Any]) -> dict[str, Any]:
        makers, now_ns = self._live.engine.makers, self._live.clock.now_ns()
        verbs: Any = import_module(PLAYBOOK_VERBS)
        named = self._named(args)
        return {"markets": [verbs.suppose(makers[name], args, now_ns) for name in named]}

    async def _stop(self, who: str) -> dict[str, Any]:
        """Answer when the venues have shown that nothing is open, or time is up."""
        self._live.stop(who)
        await self._live.ended.wait()
        return {"open_orders": self._live.engine.open_orders_at_stop}


def _word(verb: str, market: str, args: dict[str, Any], now_ns: int) -> Event:
    who, reason = str(args["who"]), str(args.get("reason") or "")
    if verb == "halt":
        return Halt(market=market, at_ns=now_ns, who=who, reason=reason)
    if verb == "resume":
        return Resume(market=market, at_ns=now_ns, who=who, reason=reason)
    return _rating(market, args, now_ns)


def _rating(market: str, args: dict[str, Any], now_ns: int) -> RatingSet:
    try:
        label = RatingLabel(str(args.get("label")).replace("_", " ").replace("-", " ").lower())
    except ValueError as error:
        known = ", ".join(label.value for label in RatingLabel)
        raise UserError(f"no rating {args.get('label')!r}; there are: {known}") from error
    ttl_s = args.get("ttl_s")
    if not isinstance(ttl_s, int | float) or not 0 < ttl_s <= RATING_TTL_S_MAX:
        raise UserError(f"ttl must be more than 0 and at most {RATING_TTL_S_MAX} s")
    expires_ns = now_ns + int(ttl_s * NS_PER_S)
    return RatingSet(
        market=market, at_ns=now_ns, label=label, expires_ns=expires_ns, source=str(args["who"])
    )


def moment_text(at_ns: Ns) -> str:
    """`2026-01-31T12:00:00.000001+00:00`: whole microseconds, rounded down."""
    seconds, rest_ns = divmod(at_ns, NS_PER_S)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1_000)
    return moment.isoformat(timespec="microseconds")
