"""One lead's archive holds the answers of one source: a stand-in's history must never be told as the lead's own.

Imported pages name no source and may stand beside any.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.settings_url import origin_of
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.source import LeadId


def refuse_mixed(archive: PageArchive, lead_id: LeadId, base_url: str) -> None:
    """Whether the answers of a host may join those of a lead; a stand-in may come back on another port.

    Raises:
        BadInput: the archive holds answers of another host.
    """
    ours = origin_of(base_url)
    others = sorted(one for one in archive.origins(lead_id) if urlsplit(one).hostname != urlsplit(ours).hostname)
    if others:
        raise BadInput(
            f"the archive holds answers about {lead_id} from {', '.join(others)}; those of {ours} must not join them",
            where=Where(file=str(archive.root / lead_id), field="source.base_url"),
            next_step="Use another data_dir for another source, or move this lead's folder out of the archive",
        )
