"""What a session does that cannot show how it stands: it opens nothing more, and goes on with its exits.

Without its journal a session ends; that is not decided here.
"""

from __future__ import annotations

from typing_extensions import override

from copytrade_core.model.errors import StoreFault
from copytrade_core.session.ports import ControlPanel, StatusSink
from copytrade_core.session.status import SessionStatus


class StopWhenUnseen(StatusSink):
    """Passes each status on; one that cannot be written stops new orders.

    Args:
        shown: where the status goes.
        panel: where STOP_NEW_ORDERS is set.
    """

    def __init__(self, shown: StatusSink, panel: ControlPanel) -> None:
        self._shown = shown
        self._panel = panel
        self.fault: StoreFault | None = None

    @override
    def show(self, status: SessionStatus) -> None:
        """Show it; a fault stops new orders and is kept in `fault` until a status is written again."""
        try:
            self._shown.show(status)
            self.fault = None
        except StoreFault as error:
            if self.fault is None:
                self._panel.stop_new_orders(f"the status cannot be written: {error.what}")
            self.fault = error
