"""The reference pages say what the code says."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def generator():
    spec = importlib.util.spec_from_file_location("reference_pages", ROOT / "docs/_generate/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "config.md"])
def test_the_page_is_what_the_code_says(name):
    page = generator().PAGES[name]()
    stored = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert stored == page, "run: make docs"


def test_every_setting_and_every_exit_code_is_on_its_page():
    module = generator()
    assert "| `costs.taker_fee_bps` | `5` | `COPYTRADE_COSTS__TAKER_FEE_BPS` |" in module.config_page()
    assert "| 130 | stopped with Ctrl-C" in module.cli_page()
