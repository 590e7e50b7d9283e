"""How every function of the kernel is compiled; the rest of the project never sees numba. No rule is here.

Division never raises, integers wrap, no floating-point shortcut is taken. Nothing is allocated: working memory comes
from the caller, so reference counting is off. Everything is inlined into one function, because passing arrays costs
more than most of these functions do. That one gives up the interpreter's lock, so threads of the caller run it side by
side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba

Jit = Callable[..., Any]
njit = cast("Callable[..., Callable[[Jit], Jit]]", numba.njit)
"""numba's stubs know only a part of its options."""

function = njit(error_model="numpy", nogil=True, boundscheck=False, fastmath=False, _nrt=False, forceinline=True)
"""A function of the kernel, part of the one that is kept."""
kept = njit(cache=True, error_model="numpy", nogil=True, boundscheck=False, fastmath=False)
"""The outermost function: its machine code is kept on disk under the fingerprint of all others (fingerprint.py)."""
