"""Groups of leads that one session follows: `<paths.canaries>/<name>.toml`, one file each, with money of its own.

Caps hold over all leads of a group; each lead is kept within its own capital besides. Nothing is run here.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_canary import CanaryMoney, Usdt, field_fault
from copytrade_core.edges.settings_file import read_config_file
from copytrade_core.edges.settings_origin import Layer, config_error, leaves_of
from copytrade_core.edges.tracking import LEAD_ID
from copytrade_core.model.errors import BadConfig, BadInput, Where
from copytrade_core.model.instrument import Market, symbol_of_market
from copytrade_core.model.units import Money, money_from_decimal
from copytrade_core.strategies.leads import LeadPlan

GROUP_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
"""Never a number, so that a group's sessions can never be taken for a lead's."""


class GroupLead(BaseModel):
    """How one lead of a group is followed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capital_usdt: Usdt = Field(description="Everything held and reserved for this lead.")
    target_usdt: Usdt | None = Field(default=None, description="Its own target; left out: the group's.")
    allowed: tuple[str, ...] | None = Field(default=None, description="Only these markets; left out: every one.")
    blocked: tuple[str, ...] = Field(default=(), description="Never these markets.")


class CanaryGroup(BaseModel):
    """One file: the money over all, and a table `[leads.ID]` for each lead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    money: CanaryMoney
    leads: dict[str, GroupLead] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees(self) -> CanaryGroup:
        for lead_id, lead in self.leads.items():
            target: Decimal = lead.target_usdt or self.money.target_usdt
            if not LEAD_ID.fullmatch(lead_id):
                raise field_fault(self, "leads", f"{lead_id} is not a portfolio id")
            for bound in ("equity_usdt", "notional_gross_usdt_max"):
                if lead.capital_usdt > getattr(self.money, bound):
                    raise field_fault(self, "leads", f"capital_usdt of {lead_id} is more than money.{bound}")
            if target > lead.capital_usdt:
                raise field_fault(self, "leads", f"the target of {lead_id} ({target}) is more than its capital_usdt")
            if (wrong := _wrong_markets(lead)) is not None:
                raise field_fault(self, "leads", f"{wrong} of {lead_id}")
        return self


def _wrong_markets(lead: GroupLead) -> str | None:
    """What is wrong with its lists; a market that is misspelt would block nothing."""
    for name in (*(lead.allowed or ()), *lead.blocked):
        try:
            _ = symbol_of_market(name)
        except BadInput as error:
            return f"{error.what} as BTC/USDT:USDT is, in a list"
    if both := sorted(set(lead.allowed or ()) & set(lead.blocked)):
        return f"{both[0]} is both allowed and blocked in the lists"
    return "no market is allowed in the list" if lead.allowed == () else None


def load_group(settings: Settings, name: str) -> CanaryGroup:
    """A group by its name.

    Raises:
        BadInput: a name that no group can have.
        BadConfig: no such file, or values in it that are unknown, missing, wrong or contradict each other.
    """
    if not GROUP_NAME.fullmatch(name):
        step = "Small letters, digits, - and _, a letter first"
        raise BadInput(f"{name!r} is no name of a group", where=Where(field="group"), next_step=step)
    file = settings.paths.canaries / f"{name}.toml"
    if not file.exists():
        raise BadConfig(f"there is no group {name}", where=Where(file=str(file)), next_step=_groups_there(file.parent))
    config = read_config_file(file)
    try:
        return CanaryGroup.model_validate(config.document)
    except ValidationError as error:
        leaves = dict(leaves_of(config.document, Layer.FILE, prefix=""))
        raise config_error(error, leaves, config, known={}) from error


def _groups_there(folder: Path) -> str:
    names = ", ".join(sorted(found.stem for found in folder.glob("*.toml")))
    return f"Write that file, or name one of these groups: {names}" if names else "Write that file"


def group_leads(group: CanaryGroup) -> tuple[LeadPlan, ...]:
    """The leads as a session takes them."""
    return tuple(
        LeadPlan(
            lead_id=lead_id,
            target=_money(lead.target_usdt),
            notional_max=_money(lead.capital_usdt),
            allowed=None if lead.allowed is None else frozenset(Market(name) for name in lead.allowed),
            blocked=frozenset(Market(name) for name in lead.blocked),
        )
        for lead_id, lead in sorted(group.leads.items())
    )


def _money(value: Decimal | None) -> Money | None:
    return None if value is None else money_from_decimal(value)
