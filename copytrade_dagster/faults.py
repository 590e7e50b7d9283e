"""Our errors as Dagster shows them: what happened, where, what to do next, and no retry of what cannot succeed."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from copytrade_core.model.errors import CopytradeError


@contextmanager
def explained() -> Generator[None]:
    """Turns an error of the core into a failure whose text a person can act on."""
    try:
        yield
    except CopytradeError as error:
        metadata = {"kind": type(error).__name__, "next_step": error.next_step or "See docs/runbook.md"}
        raise dg.Failure(description=str(error), metadata=metadata, allow_retries=False) from error
