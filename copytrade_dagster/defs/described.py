"""What every asset says about itself: owner, kinds, and the code it was made by."""

from copytrade_core.edges.stages.code_version import code_version

OWNERS = ["team:copytrade"]
CODE_VERSION = code_version()
TABLE = {"polars", "parquet"}
DOCUMENT = {"json"}
HTTP = {"json", "http"}
