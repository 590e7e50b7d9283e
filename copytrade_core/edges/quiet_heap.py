"""No long pause of the garbage collector while orders are on their way. What is collected decides nothing here."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quiet_heap() -> Generator[None, None, None]:
    """Leaves out of every later collection what is alive now: libraries and stored bars, which outlive a session.

    A full collection walks everything that was ever imported, for some tens of milliseconds; with that put aside it
    walks what the session itself has made.
    Put back at the end: the process may live on.
    """
    _ = gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
