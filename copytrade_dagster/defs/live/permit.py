"""The only way to the live asset's input: a plain IO manager that verifies the whole chain and hands over a permit.

It takes no configuration, because run configuration can be written by whoever launches a run. It decides nothing: the
chain is decided in `copytrade_core.promotion`, from the store and from what the instance recorded.
"""

import dagster as dg
from typing_extensions import override

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.promotion import decide_step
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.model.errors import CopytradeError
from copytrade_core.promotion.chain import Permit
from copytrade_core.promotion.contract import Step
from copytrade_dagster.lineage import EVIDENCE_KEY, latest_evaluations, latest_evidence


class PromotionGate(dg.IOManager):
    """`load_input` returns a `Permit` for exactly one lead, or fails without a retry and says what is missing."""

    def __init__(self, step: Step) -> None:
        self._step = step

    @override
    def load_input(self, context: dg.InputContext) -> Permit:
        """The permit, or a failure with the list of what is missing."""
        if context.asset_key != EVIDENCE_KEY:
            raise refused(f"The permit comes from {EVIDENCE_KEY.to_user_string()}, not from {context.asset_key}.")
        if not context.has_partition_key or not context.has_asset_partitions:
            raise refused("Live is asked for one lead at a time: launch it with the lead's partition.")
        lead_id = context.asset_partition_key
        if lead_id != context.partition_key:
            raise refused(f"The run is for {context.partition_key}, the evidence would be of {lead_id}.")
        try:
            return self._permit(context.instance, lead_id)
        except CopytradeError as error:
            raise refused(str(error)) from error

    def _permit(self, instance: dg.DagsterInstance, lead_id: str) -> Permit:
        place = open_workplace(load_settings())
        answer = decide_step(
            place,
            lead_id,
            self._step,
            materialisation=latest_evidence(instance, lead_id),
            evaluations=latest_evaluations(instance, lead_id, place.contract().required[self._step]),
        )
        if not isinstance(answer, Permit):
            raise refused(str(answer))
        return answer

    @override
    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """A live asset stores nothing through here."""
        raise refused("Nothing is written through the promotion gate.")


def refused(why: str) -> dg.Failure:
    """A refusal: it cannot be retried into a yes."""
    return dg.Failure(description=f"Live is refused. {why}", metadata={"verdict": "refused"}, allow_retries=False)
