"""The policies that the settings name, read and parsed.

What a policy means belongs to `strategies`.
"""

from __future__ import annotations

from pathlib import Path

from copytrade_core.edges.settings import Settings
from copytrade_core.edges.stages.workplace import read_toml
from copytrade_core.model.digest import digest_of
from copytrade_core.model.policy import PolicySpec
from copytrade_core.strategies.policy_parse import policy_from_mapping


def load_policy(path: Path) -> PolicySpec:
    """One policy file.

    Raises:
        BadConfig: it cannot be read or parsed; names file and key.
    """
    return policy_from_mapping(read_toml(path), file=str(path))


def load_policies(settings: Settings) -> dict[str, PolicySpec]:
    """Every policy by its name in the settings, the one that gates judge first."""
    return {name: load_policy(path) for name, path in settings.policies.items()}


def policy_digests(settings: Settings) -> dict[str, str]:
    """Digest of each policy by name."""
    return {name: digest_of(policy) for name, policy in load_policies(settings).items()}
