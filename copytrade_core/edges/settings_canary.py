"""The canary's section of the configuration: its money, its caps and costs, and how often it asks.

What the values do belongs to `session` and `risk`; a group of leads has the same money in a file of its own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import override

from copytrade_core.model.caps import Caps
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.units import money_from_decimal, ppm_from_decimal

Usdt = Annotated[Decimal, Field(gt=0, le=1_000_000)]
"""Quote money; a canary with more than a million is surely a slip of the keyboard."""
Bps = Annotated[Decimal, Field(ge=0, le=900)]
AgeS = Annotated[int, Field(gt=0, le=86_400)]
BPS = Decimal(10_000)


class CanaryMoney(BaseModel):
    """Equity, target, caps and costs: absolute, in quote money, each mandatory. One that voids another is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    equity_usdt: Usdt = Field(description="The canary's capital at its start; it trades without leverage.")
    target_usdt: Usdt = Field(description="Notional aimed at in one trade, in place of the policy's.")
    notional_gross_usdt_max: Usdt = Field(description="Notional held, reserved and asked for, on both sides together.")
    notional_one_side_usdt_max: Usdt = Field(description="The same on one side.")
    notional_correlated_usdt_max: Usdt = Field(description="The same, weighted by how alike the markets move.")
    daily_loss_usdt_max: Usdt = Field(description="Lost since 00:00 UTC, open positions included: no entry beyond.")
    orders_per_hour_max: int = Field(ge=1, le=10_000, description="Entries handed over within an hour.")
    source_age_s_max: AgeS = Field(description="Age of what is known of the lead; an older one opens nothing.")
    mark_age_s_max: AgeS = Field(description="Age of the market's price; an older one opens nothing.")
    entry_drift_bps_max: Bps = Field(description="How far the price may have gone from the one that was decided on.")
    fee_bps: Bps = Field(description="Fee of a paper fill, each side.")
    slippage_bps: Bps = Field(description="How much worse than the quote a paper fill is, each side.")
    costs_source: str = Field(min_length=1, description="Where fee and slippage come from.")

    @model_validator(mode="after")
    def _agrees(self) -> CanaryMoney:
        for name, bound, why in self._bounds():
            value, limit = getattr(self, name), getattr(self, bound)
            if value > limit:
                raise field_fault(self, name, f"it is more than {bound} ({limit}), {why}")
        return self

    def _bounds(self) -> tuple[tuple[str, str, str], ...]:
        """Pairs of which the first may not exceed the second, and what it would be good for if it did."""
        unheld = "so it would never hold anything back"
        refused = "so every entry would be refused"
        return (
            ("notional_one_side_usdt_max", "notional_gross_usdt_max", unheld),
            ("notional_correlated_usdt_max", "notional_gross_usdt_max", unheld),
            ("daily_loss_usdt_max", "equity_usdt", unheld),
            ("target_usdt", "equity_usdt", "and nothing is bought on credit, so every entry would be refused"),
            ("target_usdt", "notional_gross_usdt_max", refused),
            ("target_usdt", "notional_one_side_usdt_max", refused),
            ("target_usdt", "notional_correlated_usdt_max", refused),
        )


class CanarySection(CanaryMoney):
    """Sessions that poll their lead: paper and shadow."""

    poll_every_s: float = Field(gt=0, description="Seconds between two polls of a lead.")
    price_every_s: float = Field(gt=0, description="Seconds between two readings of prices.")
    delay_ms: int = Field(
        ge=0,
        le=60_000,
        description="From sending an order to its being executable at a venue, its way there left out; assumed.",
    )
    deadline_s: int = Field(gt=0, description="A session runs this long at most; it ends at midnight UTC anyway.")

    @override
    def _bounds(self) -> tuple[tuple[str, str, str], ...]:
        stale = "so what is known would be too old before it is asked again"
        return (
            *super()._bounds(),
            ("poll_every_s", "source_age_s_max", stale),
            ("price_every_s", "mark_age_s_max", stale),
        )


def field_fault(model: BaseModel, name: str, says: str) -> ValidationError:
    """A contradiction told of one field, so that its line can be named."""
    # The words are an argument: a brace in them would be a place holder.
    custom = PydanticCustomError("contradiction", "{says}", {"says": says})
    details = InitErrorDetails(type=custom, loc=(name,), input=getattr(model, name))
    return ValidationError.from_exception_data(type(model).__name__, [details])


def canary_caps(money: CanaryMoney) -> Caps:
    """The caps as `risk` takes them."""
    return Caps(
        notional_gross_max=money_from_decimal(money.notional_gross_usdt_max),
        notional_one_side_max=money_from_decimal(money.notional_one_side_usdt_max),
        notional_correlated_max=money_from_decimal(money.notional_correlated_usdt_max),
        daily_loss_max=money_from_decimal(money.daily_loss_usdt_max),
        orders_per_hour_max=money.orders_per_hour_max,
        source_age_s_max=money.source_age_s_max,
        mark_age_s_max=money.mark_age_s_max,
        entry_drift_ppm_max=ppm_from_decimal(money.entry_drift_bps_max / BPS),
    )


def canary_costs(money: CanaryMoney) -> CostModel:
    """The costs as paper fills take them: every fill takes liquidity."""
    fee = ppm_from_decimal(money.fee_bps / BPS)
    return CostModel(
        taker_fee=fee, maker_fee=fee, slippage=ppm_from_decimal(money.slippage_bps / BPS), source=money.costs_source
    )
