"""Where the runs of a sweep happen: processes of this machine, or a Dask cluster."""

import importlib
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

from engine.cli.sweep_job import Job, run_job
from engine.sim.sweep import Failed, Row
from engine.values.errors import UserError

LOCAL = "local"
AHEAD = 2
"""Jobs that wait beside each worker."""
BREAKS_MAX = 3
"""So many deaths in a row without a single answer between them are no accident."""
CONNECT_S = 10
RETRIES = 3

Answer: TypeAlias = Row | Failed


class Executor(Protocol):
    """Something that runs jobs elsewhere."""

    def answers(self, jobs: Sequence[Job]) -> Iterator[Answer]:
        """One answer a job, as they come, in any order; a killed worker's jobs run elsewhere.

        Raises UserError where it cannot go on; what was answered until then is right.
        """
        ...


def executor_of(on: str, workers: int) -> Executor:
    """`local`, or the address of a Dask scheduler. Raises UserError."""
    if on == LOCAL:
        return LocalPool(workers or os.cpu_count() or 1)
    if on.startswith(("tcp://", "tls://")):
        return DaskCluster(on)
    raise UserError(f'--on {on!r} is neither "local" nor the address of a scheduler, tcp://…')


# --- this machine -------------------------------------------------------------------------------


class LocalPool:
    """A process a core. A worker that is killed takes its job with it; that job runs again."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def answers(self, jobs: Sequence[Job]) -> Iterator[Answer]:
        left = {job.run.job: job for job in jobs}
        breaks = 0
        while left:
            try:
                for answer in self._pass(list(left.values())):
                    del left[answer.job]
                    breaks = 0
                    yield answer
            except BrokenProcessPool as error:
                breaks += 1
                if breaks > BREAKS_MAX:
                    raise UserError(
                        f"workers die again and again: {len(left)} runs are missing; "
                        "too little memory? Try --workers 1"
                    ) from error

    def _pass(self, jobs: list[Job]) -> Iterator[Answer]:
        """Until all are done or a worker has died. Few are handed out ahead of their turn."""
        context = multiprocessing.get_context("spawn")
        waiting = iter(jobs)
        count = min(self.workers, len(jobs))
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_settle_in)
        try:
            with _interrupt_ignored():  # what a worker starts with, it keeps
                running = {pool.submit(run_job, job) for job in islice(waiting, count * AHEAD)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(run_job, job) for job in islice(waiting, len(done))}
                yield from _results(done)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _results(done: set[Future[Answer]]) -> Iterator[Answer]:
    """Those that have one come first: they must not be lost to a neighbour's death."""
    for future in sorted(done, key=lambda each: each.exception() is not None):
        yield future.result()


@contextmanager
def _interrupt_ignored() -> Iterator[None]:
    """A worker leaves the interrupt key to its parent, from its very first instruction on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _settle_in() -> None:
    """A worker leaves when its parent is gone, were it by `kill -9`."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave, name="leave with the parent", daemon=True).start()


# --- a cluster ----------------------------------------------------------------------------------


class DaskCluster:
    """A scheduler whose workers have ballast installed and see the data under the same paths."""

    def __init__(self, address: str) -> None:
        self.address = address

    def answers(self, jobs: Sequence[Job]) -> Iterator[Answer]:
        distributed = _distributed()
        try:
            _knock(self.address)
            client = distributed.Client(self.address, timeout=CONNECT_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(f"--on {self.address}: no scheduler answers there") from error
        with client:
            futures = [
                client.submit(run_job, job, key=f"ballast-{job.run.job}", retries=RETRIES)
                for job in jobs
            ]
            yield from self._gathered(distributed, futures)

    def _gathered(self, distributed: Any, futures: list[Any]) -> Iterator[Answer]:
        lost = (OSError, TimeoutError, distributed.CancelledError, distributed.KilledWorker)
        try:
            for future in distributed.as_completed(futures):
                yield future.result()
                future.release()
        except lost as error:
            raise UserError(f"--on {self.address}: the cluster is lost: {error}") from error


def _knock(address: str) -> None:
    """A refusal is told at once; Dask's own client would go on trying. Raises as a socket does."""
    where = urlsplit(address)
    if not where.hostname or not where.port:
        raise ValueError("no host and port")
    socket.create_connection((where.hostname, where.port), CONNECT_S).close()


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise UserError('--on tcp://… needs Dask: pip install "ballast[sweep]"') from error
