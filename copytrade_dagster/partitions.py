"""What the assets are partitioned by. Leads and markets are added by people and sensors, never in code."""

import dagster as dg

from copytrade_core.model.venue import Venue

LEADS = dg.DynamicPartitionsDefinition(name="lead")
"""A lead's portfolio id; `copytrade track ID` adds one."""
MARKETS = dg.DynamicPartitionsDefinition(name="market")
"""A unified market name; the episodes of a lead add theirs."""
MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01", fmt="%Y-%m", end_offset=1)
"""Months of market data, the running one included; bounded, so that markets x months stay far under 100,000."""
MARKET_MONTHS = dg.MultiPartitionsDefinition({"market": MARKETS, "month": MONTHS})
"""Keys read `BTC/USDT:USDT|2026-01`."""
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_offset=1)
"""Days of lead lists."""
VENUES = dg.StaticPartitionsDefinition([venue.value for venue in Venue])
"""Venues that orders can be spoken to."""
SESSION_DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_offset=1)
"""Days of sessions, today included; bounded: 50 leads x 5 years stay under 100,000."""
SESSIONS = dg.MultiPartitionsDefinition({"day": SESSION_DAYS, "lead": LEADS})
"""Keys read `2026-11-02|LEAD`."""
