"""A decision that never ends is interrupted, and one that ends in time is not."""

import time

import pytest

from engine.runtime.hang import Hang, HangGuard


def loop_for_ever():
    while True:
        pass


def test_an_endless_loop_is_interrupted():
    since_ns = time.perf_counter_ns()
    with HangGuard(lambda: since_ns, 0.1), pytest.raises(Hang):
        loop_for_ever()


def test_work_between_facts_is_left_alone():
    with HangGuard(lambda: 0, 0.01):
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            pass


def test_a_host_that_stood_still_is_no_decision_that_hangs():
    since_ns = time.perf_counter_ns() - 3600 * 10**9
    with HangGuard(lambda: since_ns, 60.0):
        time.sleep(0.2)


def test_a_fact_is_struck_once_so_that_the_engine_can_clean_up():
    since_ns = time.perf_counter_ns()
    struck, struck_s = 0, time.monotonic()
    with HangGuard(lambda: since_ns, 0.05):
        while not struck or time.monotonic() - struck_s < 0.4:
            try:
                time.sleep(0.01)
            except Hang:
                struck, struck_s = struck + 1, time.monotonic()
    assert struck == 1
