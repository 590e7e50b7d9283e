"""Which code made something: the package's version and a digest of its source tree.

What was made does not belong here.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("copytrade_core", "copytrade_dagster")
DIGEST_CHARACTERS = 16


@cache
def code_version() -> str:
    """`0.1.0+<16 hex>`: package version and the digest of every source file, read once per process.

    A tree that cannot be read gives `...+dirty`, on which no evidence digest may rest.
    """
    try:
        package = version("copytrade")
    except PackageNotFoundError:
        package = "0"
    try:
        return f"{package}+{tree_digest(Path(__file__).resolve().parents[3], PACKAGES)[:DIGEST_CHARACTERS]}"
    except OSError:
        return f"{package}+dirty"


def tree_digest(root: Path, packages: tuple[str, ...]) -> str:
    """sha256 over path and content of every Python file of the packages below `root`, line ends unified.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
