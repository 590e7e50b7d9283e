"""A fault planted in the fast engine is found: each mutant differs from the reference on one of a few cases."""

from __future__ import annotations

import pytest

from tests.replay.kernel_mutants import MUTANTS, Hunter, occurrences, planted

SEEDS = 150


@pytest.fixture(scope="module")
def hunter():
    with Hunter(compiled=False) as made:
        yield made


def test_every_fault_replaces_one_text_of_the_kernel(project_root):
    found = {old: len(occurrences(project_root, old)) for mutant in MUTANTS for old, _ in mutant.swaps}
    assert found == dict.fromkeys(found, 1)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 8
    assert all(old != new for mutant in MUTANTS for old, new in mutant.swaps)


def test_without_a_fault_nothing_is_found(hunter, project_root, tmp_path):
    """Interpreted, too: so what a hunt finds is the fault and not the mode it runs in."""
    assert hunter.hunt(planted(project_root, tmp_path, None), SEEDS) is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_is_found(hunter, project_root, tmp_path, mutant):
    found = hunter.hunt(planted(project_root, tmp_path, mutant), SEEDS)
    assert found is not None, f"survived: {mutant.why}"


@pytest.mark.soak
def test_a_fault_is_found_compiled(project_root, tmp_path):
    with Hunter(compiled=True) as hunter:
        assert hunter.hunt(planted(project_root, tmp_path, MUTANTS[0]), SEEDS) is not None
