"""How every function of the kernel is compiled; the rest of the project never sees numba. No rule is here.

Division never raises, integers wrap, no floating-point shortcut is taken, and nothing is allocated: working memory comes
from the caller, so reference counting is off inside.
"""

from __future__ import annotations

from numba import njit, prange

__all__ = ["each_thread", "function", "prange"]

# Only the outermost function is kept on disk, under the fingerprint of all others (fingerprint.py).
function = njit(error_model="numpy", nogil=True, boundscheck=False, fastmath=False, _nrt=False)
each_thread = njit(cache=True, error_model="numpy", nogil=True, boundscheck=False, fastmath=False, parallel=True)
