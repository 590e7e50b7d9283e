"""The engines compared for a long time: a hundred thousand random cases on every core. `make soak`."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.replay.both_engines import differing

pytestmark = pytest.mark.soak
CASES, CHUNK = 100_000, 500


def test_the_engines_are_equal_on_a_hundred_thousand_random_cases():
    chunks = [range(first, first + CHUNK) for first in range(0, CASES, CHUNK)]
    # Not forked: compiled code and its threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    found: dict[int, str] = {}
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        for different in pool.map(differing, chunks):
            found |= different
            assert len(found) < 20, found
    assert found == {}
