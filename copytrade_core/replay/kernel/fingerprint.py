"""A fingerprint of the kernel's code, so that compiled code kept on disk is never older than its source.

Numba looks only at the file of the function that it keeps; the kernel's functions live in several. What they do is in
their byte code and constants, and those are what is hashed; nothing is read from disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from types import CodeType, ModuleType


def fingerprint(modules: Iterable[ModuleType]) -> int:
    """63 bits over every function and whole-number constant of these modules."""
    digest = hashlib.sha256()
    for module in modules:
        for name, value in sorted(vars(module).items()):
            code = getattr(getattr(value, "py_func", None), "__code__", None)
            if isinstance(code, CodeType):
                told = (name, code.co_code.hex(), repr(code.co_consts), code.co_names, code.co_varnames)
            elif isinstance(value, int | float):
                told = (name, repr(value))
            else:
                continue
            digest.update(repr(told).encode())
    return int.from_bytes(digest.digest()[:8], "big") >> 1
