"""The strategy's own brake on entries that keep failing. It never holds back a reduce or a close."""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.policy import BackoffSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffState:
    """Failures in a row and, when the brake is on, until when (epoch ms)."""

    failures: int
    until_ms: int | None

    def blocks(self, now_ms: int) -> bool:
        """Whether opens and adds are held back now."""
        return self.until_ms is not None and now_ms < self.until_ms


IDLE = BackoffState(failures=0, until_ms=None)


def after_failure(state: BackoffState, spec: BackoffSpec, now_ms: int) -> BackoffState:
    """One more failed entry; from `failures_max` on each puts the brake on for `cooldown_s`.

    Time does not reset the count: after a cooldown one entry is tried, and if it fails the brake is on again.
    """
    failures = state.failures + 1
    until_ms = now_ms + spec.cooldown_s * 1000 if failures >= spec.failures_max else state.until_ms
    return BackoffState(failures=failures, until_ms=until_ms)


def after_entry_fill() -> BackoffState:
    """A filled open or add releases the brake and forgets the failures; nothing else does."""
    return IDLE
