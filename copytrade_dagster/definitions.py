"""What Dagster loads: everything from a lead's pages to its promotion evidence. Live is a location of its own."""

import dagster as dg

from copytrade_dagster.automation import JOBS, SCHEDULES, SENSORS
from copytrade_dagster.automation_sessions import SESSION_JOBS, SESSION_SCHEDULES, SESSION_SENSORS
from copytrade_dagster.defs.evidence import assets as evidence
from copytrade_dagster.defs.evidence import checks as evidence_checks
from copytrade_dagster.defs.leads import assets as leads
from copytrade_dagster.defs.leads import checks as leads_checks
from copytrade_dagster.defs.market import assets as market
from copytrade_dagster.defs.market import checks as market_checks
from copytrade_dagster.defs.monitor import assets as monitor
from copytrade_dagster.defs.monitor.checks import MONITOR_CHECKS
from copytrade_dagster.defs.paper import assets as paper
from copytrade_dagster.defs.paper.checks import PAPER_CHECKS
from copytrade_dagster.defs.preflight import assets as preflight
from copytrade_dagster.defs.preflight.checks import PREFLIGHT_CHECKS
from copytrade_dagster.defs.promotion import assets as promotion
from copytrade_dagster.defs.promotion.checks import GATE_CHECKS
from copytrade_dagster.defs.replay import assets as replay
from copytrade_dagster.defs.search import assets as search
from copytrade_dagster.defs.search.checks import SEARCH_CHECKS
from copytrade_dagster.defs.shadow import assets as shadow
from copytrade_dagster.defs.shadow.checks import SHADOW_CHECKS
from copytrade_dagster.defs.sources import assets as sources
from copytrade_dagster.defs.sources import checks as sources_checks
from copytrade_dagster.resources import PLACE, place_resource

defs = dg.Definitions(
    assets=[
        leads.lead_lists,
        leads.lead_details,
        sources.source_pages,
        sources.normalised_rows,
        sources.episodes,
        market.instruments,
        market.bars,
        market.funding,
        replay.replayed,
        evidence.split_manifest,
        evidence.evidence_report,
        search.trials,
        search.search_report,
        search.champion_policy,
        search.holdout_result,
        preflight.venue_certificate,
        preflight.preflight_result,
        paper.paper_session,
        paper.paper_parity,
        paper.paper_record,
        shadow.shadow_orders,
        monitor.monitor_incidents,
        promotion.promotion_evidence,
    ],
    asset_checks=[
        leads_checks.universe_complete,
        sources_checks.pages_fresh,
        sources_checks.no_schema_drift,
        sources_checks.rows_accounted,
        sources_checks.rows_consistent,
        market_checks.no_gaps,
        market_checks.prices_sane,
        evidence_checks.assumptions_stated,
        *SEARCH_CHECKS,
        *PREFLIGHT_CHECKS,
        *PAPER_CHECKS,
        *SHADOW_CHECKS,
        *MONITOR_CHECKS,
        *GATE_CHECKS,
    ],
    resources={PLACE: place_resource},
    jobs=[*JOBS, *SESSION_JOBS],
    schedules=[*SCHEDULES, *SESSION_SCHEDULES],
    sensors=[*SENSORS, *SESSION_SENSORS],
    executor=dg.in_process_executor,
)
