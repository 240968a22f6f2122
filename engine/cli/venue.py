"""`ballast venue`: a whole venue on 127.0.0.1, with a market of its own or a recorded one."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop

from adapters.loopback.config import SymbolSpec, VenueConfig, atoms, btc_usdt, btt_usdt
from adapters.loopback.faults import Fault, read_script
from adapters.loopback.keys import KeyPair, new_ed25519, new_hmac
from adapters.loopback.recorded import Recording, survey, surveyed_spec
from adapters.loopback.venue import HOST, LoopbackVenue
from adapters.transport.capture import read_lines
from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import PRESETS
from engine.sim.matching.flow import Flow
from engine.values.errors import UserError
from engine.values.units import Ns

ACCOUNT = "main"
SPECS: dict[str, Callable[[], SymbolSpec]] = {"btt-thin": btt_usdt, "liquid": btc_usdt}
BASE_OPENING = {"btt-thin": "2000000000", "liquid": "10"}
QUOTE_OPENING = "100000"
KEY_KINDS: dict[str, Callable[[str], KeyPair]] = {"hmac": new_hmac, "ed25519": new_ed25519}
SPEED_MAX = 100_000.0
PORT_MAX = 65_535
IDLE_LOOK_S = 0.5


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The flags, read and checked."""

    markets: list[str]
    symbols: list[str]
    captures: list[Path]
    speed: float
    seed: int
    balances: dict[str, str]
    script: list[Fault]


def venue(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]", help="More files of --capture.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    market: Annotated[
        str, typer.Option(help=f"Synthetic markets, one or more of {', '.join(SPECS)}.")
    ] = "btt-thin",
    symbols: Annotated[str, typer.Option(help="Symbols like BTTUSDT,DENTUSDT.")] = "",
    capture: Annotated[
        list[Path] | None, typer.Option(help="Recorded frames to serve again, in order.")
    ] = None,
    speed: Annotated[str, typer.Option(help="Of a capture: 1, a factor, or max.")] = "1",
    fault: Annotated[
        str, typer.Option(help="Script like 'F01@5s:count=2;O02@10s'; see docs/venue.md.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the synthetic market.")] = 0,
    balance: Annotated[str, typer.Option(help="Opening money like BTT=1000000,USDT=500.")] = "",
    key_type: Annotated[str, typer.Option(help="hmac or ed25519.")] = "hmac",
    key_file: Annotated[
        Path | None, typer.Option(help="Write the key here (0600) and do not print it.")
    ] = None,
    idle_exit: Annotated[
        float, typer.Option(help="Leave after so many seconds without a client; 0 for never.")
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Serve a venue that speaks the Binance spot protocol until SIGTERM or Ctrl-C."""
    if not 0 <= port <= PORT_MAX:
        raise UserError(f"--port {port}: a port is 0 to {PORT_MAX}")
    if key_type not in KEY_KINDS:
        raise UserError(f"--key-type {key_type!r} is none of {', '.join(KEY_KINDS)}")
    files = [*(capture or []), *(more or [])]
    if more and not capture:
        raise UserError(f"{more[0]}: files belong to --capture")
    wanted = Wanted(
        markets=[name.strip() for name in market.split(",")],
        symbols=[name.replace("/", "").strip() for name in symbols.split(",") if name.strip()],
        captures=files,
        speed=read_speed(speed),
        seed=seed,
        balances=read_balances(balance),
        script=read_script(fault),
    )
    pair = KEY_KINDS[key_type](ACCOUNT)
    served = build_venue(wanted, pair)
    if key_file is not None:
        write_key(key_file, pair)
    announcer = _Announcer(pair, key_file, is_json=json)
    uvloop.run(_serve(served, port, announcer, idle_exit))


def build_venue(wanted: Wanted, pair: KeyPair) -> LoopbackVenue:
    """A venue as wanted, not yet listening. Raises UserError for what cannot be served."""
    for name in wanted.markets:
        if name not in SPECS:
            raise UserError(f"--market {name!r} is none of {', '.join(SPECS)}")
    ids = count(1).__next__
    flows: dict[str, Flow | Recording] = {}
    is_recorded = bool(wanted.captures)
    specs = [_recorded(wanted, flows)] if is_recorded else _synthetic(wanted, flows, ids)
    config = VenueConfig(
        symbols=specs,
        keys=[pair.key],
        balances={pair.key.account: opening_balances(wanted, specs)},
        seed=wanted.seed,
    )
    return LoopbackVenue(config, flows, ids=ids, script=wanted.script)


def opening_balances(wanted: Wanted, specs: list[SymbolSpec]) -> dict[str, int]:
    texts: dict[str, str] = {}
    markets = ["liquid"] if wanted.captures else wanted.markets
    for spec, market in zip(specs, cycle(markets), strict=False):
        texts |= {spec.base: BASE_OPENING[market], spec.quote: QUOTE_OPENING}
    return {asset: atoms(text) for asset, text in (texts | wanted.balances).items()}


def read_speed(text: str) -> float:
    """0 stands for `max`."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= SPEED_MAX:
        raise UserError(f"--speed {text!r}: a factor above 0, or max")
    return speed


def read_balances(text: str) -> dict[str, str]:
    balances: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        asset, _, amount = pair.partition("=")
        try:
            if not asset.isalnum() or atoms(amount) < 0:
                raise ValueError(pair)
        except ValueError as error:
            raise UserError(f"--balance {pair!r} is not ASSET=amount") from error
        balances[asset.upper()] = amount
    return balances


def write_key(path: Path, pair: KeyPair) -> None:
    """For nobody but us to read. Raises UserError where it cannot be written."""
    text = msgspec.json.encode({"api_key": pair.key.api_key, "secret": pair.secret})
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
    except OSError as error:
        raise UserError(f"--key-file {path}: {error.strerror}") from error


def _synthetic(
    wanted: Wanted, flows: dict[str, Flow | Recording], ids: Callable[[], int]
) -> list[SymbolSpec]:
    """Each symbol trades as the market at its place in the list does, begun again at the end."""
    specs: list[SymbolSpec] = []
    if wanted.symbols and len(wanted.markets) > len(wanted.symbols):
        raise UserError(f"--market: {len(wanted.markets)} of them for fewer --symbols")
    symbols = wanted.symbols or [SPECS[market]().symbol for market in wanted.markets]
    for i, (symbol, market) in enumerate(zip(symbols, cycle(wanted.markets), strict=False)):
        like = SPECS[market]()
        base = symbol.upper().removesuffix(like.quote)
        if not base or symbol.upper() == base or base + like.quote in flows:
            raise UserError(f"--symbols {symbol}: expected different symbols like BTT{like.quote}")
        spec = msgspec.structs.replace(like, symbol=base + like.quote, base=base)
        specs.append(spec)
        flows[spec.symbol] = SyntheticMarket(PRESETS[market], wanted.seed + i, ids)
    return specs


def _recorded(wanted: Wanted, flows: dict[str, Flow | Recording]) -> SymbolSpec:
    def lines() -> Iterator[tuple[Ns, bytes]]:
        return ((at_ns, frame) for _, at_ns, frame in read_lines(wanted.captures))

    found = survey(lines)
    symbols = [name.upper() for name in wanted.symbols] or found.symbols[:1]
    if len(symbols) != 1 or symbols[0] not in found.symbols:
        seen = ", ".join(found.symbols) or "none"
        raise UserError(f"--symbols: a capture serves one of its symbols; in it are: {seen}")
    spec = surveyed_spec(symbols[0], found, btc_usdt())
    flows[spec.symbol] = Recording(lines=lines, speed=wanted.speed)
    return spec


class _Announcer:
    """Says where the venue is, once it is there, and what it did, when it ends."""

    def __init__(self, pair: KeyPair, key_file: Path | None, *, is_json: bool) -> None:
        self._pair = pair
        self._key_file = key_file
        self._is_json = is_json

    def started(self, served: LoopbackVenue) -> None:
        row: dict[str, object] = {
            "event": "listening",
            "port": served.port,
            "symbols": list(served.exchange.markets),
            "rest": f"http://{HOST}:{served.port}",
            "ws": f"ws://{HOST}:{served.port}",
            "urls": served.urls(),
            "account": self._pair.key.account,
        }
        if self._key_file is not None:
            row["key_file"] = str(self._key_file)
        else:
            row |= {"api_key": self._pair.key.api_key, "secret": self._pair.secret}
        self._say(row)

    def stopped(self, served: LoopbackVenue) -> None:
        truth = served.state()
        self._say(
            {
                "event": "stopped",
                "orders": len(truth.orders),
                "open_orders": len(truth.open_orders),
                "fills": len(truth.fills),
                "self_trades": truth.self_trades,
                "counters": truth.counters,
            }
        )

    def _say(self, row: dict[str, object]) -> None:
        if self._is_json:
            typer.echo(msgspec.json.encode(row).decode())
            return
        for name, value in row.items():
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            typer.echo(f"{name:<12} {text}")


async def _serve(served: LoopbackVenue, port: int, announcer: _Announcer, idle_s: float) -> None:
    """Until a signal, until nobody has been connected for `idle_s`, or until the venue fails."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await served.start(port)
    except OSError as error:
        await served.stop()
        raise UserError(f"--port {port}: {error.strerror or error}") from error
    announcer.started(served)
    ends = [asyncio.create_task(stop.wait()), asyncio.create_task(served.wait())]
    if idle_s:
        ends.append(asyncio.create_task(_until_idle(served, idle_s)))
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    announcer.stopped(served)
    await served.stop()


async def _until_idle(served: LoopbackVenue, idle_s: float) -> None:
    """Return when there has been no connection for so long: a killed client leaves no orphan."""
    alone_s = 0.0
    while alone_s < idle_s:
        await asyncio.sleep(IDLE_LOOK_S)
        alone_s = 0.0 if served.delivery.wires() else alone_s + IDLE_LOOK_S
