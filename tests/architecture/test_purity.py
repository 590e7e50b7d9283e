"""Pure rooms touch nothing: no clock, environment, file, randomness, log or terminal.

Ruff sees imports and dotted calls; builtins and methods are found here.
"""

from __future__ import annotations

import ast

import pytest

BUILTINS = {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__", "hash"}
"""`hash` of text differs from one process to the next."""

MODULES = {
    *("asyncio", "atexit", "concurrent", "ctypes", "fcntl", "glob", "importlib", "io", "logging", "mmap"),
    *("multiprocessing", "os", "pathlib", "pickle", "platform", "queue", "random", "secrets", "select", "shelve"),
    *("shutil", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading"),
    *("time", "urllib", "uuid", "warnings", "zipfile", "gzip", "http", "ftplib", "smtplib", "getpass", "locale"),
}
HARMLESS = {
    ("io", "BytesIO"),
    ("io", "StringIO"),
    # Threads that share nothing but what they read, and have ended when the call returns: no result depends on them.
    ("concurrent.futures", "ThreadPoolExecutor"),
}

CLOCKS = {"now", "utcnow", "today"}
FILE_METHODS = {
    *("read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "iterdir", "rglob", "tofile"),
    *("write_parquet", "write_csv", "write_json", "write_ndjson", "write_ipc", "write_database", "write_excel"),
    *("sink_parquet", "sink_csv", "sink_ipc", "sink_ndjson", "scan_parquet", "scan_csv", "scan_ipc", "scan_ndjson"),
    *("read_parquet", "read_database", "read_excel", "fromfile", "loadtxt", "savetxt", "genfromtxt", "memmap"),
}
GLOBAL_RANDOM = {"seed", "rand", "randn", "randint", "random", "normal", "uniform", "choice", "shuffle", "permutation"}


def impurities(tree: ast.Module) -> list[str]:
    """Everything in a module that reaches outside its arguments, with its line."""
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [f"{node.lineno}: import {n.name}" for n in names if n.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in MODULES:
                found += [
                    f"{node.lineno}: from {module} import {n.name}" for n in names if (module, n.name) not in HARMLESS
                ]
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                found.append(f"{node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if name in CLOCKS and owner in (
                "datetime",
                "date",
                "dt",
            ):
                found.append(f"{node.lineno}: {owner}.{name}()")
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=name)) if (
                name in CLOCKS
            ):
                found.append(f"{node.lineno}: datetime.{name}()")
            case ast.Call(func=ast.Attribute(attr=name)) if name in FILE_METHODS:
                found.append(f"{node.lineno}: .{name}()")
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="random"), attr=name)) if name in GLOBAL_RANDOM:
                found.append(f"{node.lineno}: numpy.random.{name}()")
            case ast.Call(func=ast.Attribute(attr="default_rng"), args=[], keywords=[]):
                found.append(f"{node.lineno}: default_rng() without a seed")
            case ast.Global():
                found.append(f"{node.lineno}: global {', '.join(node.names)}")
            case _:
                pass
    return found


def test_pure_rooms_touch_nothing(modules):
    pure = [module for module in modules if module.is_pure]
    assert pure
    assert {m.path: found for m in pure if (found := impurities(m.tree))} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "x = open('f')",
        "print('hello')",
        "import time",
        "from time import monotonic",
        "import os\nx = os.environ['HOME']",
        "import random",
        "import logging",
        "from pathlib import Path",
        "from datetime import datetime, UTC\nx = datetime.now(UTC)",
        "import datetime\nx = datetime.datetime.utcnow()",
        "from datetime import date\nx = date.today()",
        "def f(frame): frame.write_parquet('x')",
        "import numpy as np\nx = np.random.default_rng()",
        "import numpy as np\nx = np.random.normal(0, 1)",
        "x = hash('text')",
        "def f():\n    global state\n    state = 1",
    ],
)
def test_a_planted_impurity_is_found(planted):
    assert impurities(ast.parse(planted))


def test_what_arguments_allow_is_not_an_impurity():
    allowed = (
        "from datetime import UTC, datetime\nimport numpy as np\nfrom io import BytesIO\n"
        "def f(now: datetime, seed: int): return now.astimezone(UTC), np.random.default_rng(seed), BytesIO(b'')"
    )
    assert impurities(ast.parse(allowed)) == []


def test_edges_and_the_command_line_are_the_only_rooms_that_may(parsed):
    assert parsed("copytrade_core/newroom/thing.py", "").is_pure
    assert parsed("copytrade_core/flow.py", "").is_pure
    assert not parsed("copytrade_core/edges/lake.py", "").is_pure
    assert not parsed("copytrade_core/cli/main.py", "").is_pure
