"""The simulated chain kept in a file, so that it lives on when the engine's process dies.

The file begins with what the chain is made of; after that there is one line for each order that
was handed over, on the disk before anybody hears that it was. Blocks, dice, payments and units on
their way back all follow from those lines and from the time. So the file is the whole chain, and
the witness of what was ever asked of it. It is no client of any network, and never will be.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from engine.runtime.simulated_chain import SimulatedNode
from engine.sim.chain import ChainParams, SimulatedChain
from engine.treasury.chain_params import SimulatedChainParams, hours_ns
from engine.values.action_words import Coins
from engine.values.chain_words import ChainOrder, ChainReceipt, ChainReward, Position
from engine.values.errors import UserError
from engine.values.units import NS_PER_MS, NS_PER_S, Ns, scaled

NAME = "chain.jsonl"


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`params` are those of the chain's birth: a changed config makes no other past."""

    began_ns: Ns
    params: SimulatedChainParams
    exponents: dict[str, int]


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_ns: Ns
    order: ChainOrder


class ChainFile:
    """Fulfils `ports.Chain`. Make it with `open_chain`."""

    def __init__(self, path: Path, chain: SimulatedChain, now_ns: Callable[[], Ns]) -> None:
        self.node = SimulatedNode(chain, now_ns)
        self._path = path
        self._now_ns = now_ns

    def __repr__(self) -> str:
        return f"<{self._path} {self.node}>"

    async def send(self, order: ChainOrder) -> None:
        at_ns = self._now_ns()
        if self.node.chain.receipt(order.reference, at_ns) is not None:
            return
        self.node.chain.send(order, at_ns)
        await asyncio.to_thread(_append, self._path, _Line(at_ns=at_ns, order=order))

    async def found(self, reference: str) -> ChainReceipt | None:
        return await self.node.found(reference)

    async def positions(self) -> list[Position]:
        return await self.node.positions()

    async def balances(self) -> list[Coins]:
        return await self.node.balances()

    async def rewards(self) -> list[ChainReward]:
        return await self.node.rewards()


def open_chain(
    path: Path,
    params: SimulatedChainParams,
    exponents: dict[str, int],
    now_ns: Callable[[], Ns],
) -> ChainFile:
    """The chain of `path`, born now where there is none. Raises UserError.

    exponents: of the assets that are free in its wallet at the beginning.
    """
    if not path.exists():
        _append(path, _Head(began_ns=now_ns(), params=params, exponents=exponents))
    return ChainFile(path, chain_in(path, now_ns()), now_ns)


def chain_in(path: Path, at_ns: Ns) -> SimulatedChain:
    """The chain that a file tells of, as it is at `at_ns`. Raises UserError."""
    number = 1
    try:
        head, *lines = path.read_bytes().splitlines(keepends=True)
        chain = _born(msgspec.json.decode(head, type=_Head))
        for number, text in enumerate(lines, 2):
            if not text.endswith(b"\n") and number == len(lines) + 1:
                break  # killed in the middle of the last line: nobody was told of that order
            line = msgspec.json.decode(text, type=_Line)
            chain.send(line.order, line.at_ns)
    except (msgspec.DecodeError, ValueError) as error:
        raise UserError(f"{path}:{number}: is no line of a simulated chain: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    chain.advance(at_ns)
    return chain


def _born(head: _Head) -> SimulatedChain:
    params = head.params
    made = ChainParams(
        block_ns=params.block_ms * NS_PER_MS,
        inclusion_blocks=params.inclusion_blocks,
        confirmations=params.confirmations,
        reverted_ppm=params.reverted_ppm,
        lost_ppm=params.lost_ppm,
        notices={name: hours_ns(hours) for name, hours in params.notice_h.items()},
        yields=params.pay_ppm,
        pay_every_ns=params.pay_every_s * NS_PER_S,
    )
    opening = {
        asset: Coins(asset=asset, atoms=scaled(text, exponent), exponent=exponent)
        for asset, exponent in head.exponents.items()
        for text in [params.opening.get(asset, "0")]
    }
    return SimulatedChain(made, opening, params.seed, head.began_ns)


def _append(path: Path, line: _Head | _Line) -> None:
    """On the disk when it returns. A line that was cut off by a kill is ended first."""
    text = msgspec.json.encode(line) + b"\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                _cut(file)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _cut(file: IO[bytes]) -> None:
    file.seek(0)
    kept = file.read().rfind(b"\n") + 1
    file.truncate(kept)
