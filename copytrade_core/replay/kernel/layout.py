"""Where everything lies in the kernel's arrays. Only places here: what they mean is said where they are made and used.

Arrays that travel through the kernel: `nodes` of `PreparedMarkets` int32; `facts` int64, what all candidates
share; `memory` int64, what one thread works with; `candidate` int64, one row of `candidates.CANDIDATE_COLUMNS`.
"""

from __future__ import annotations

import numpy as np

# --- nodes: a long reads N_LOW, N_HIGH, N_CLOSE; a short, at negated prices, N_HIGH, N_LOW and the one after N_CLOSE.
# Of a bar that one is its open, and a short negates the close itself.
NODE = 4
N_LOW, N_HIGH, N_CLOSE, N_OPEN = 0, 1, 2, 3

# --- facts
(F_INTERVAL, F_FIRST_BAR, F_MARKETS, F_LEVELS, F_BLOCK_SHIFT, F_BLOCKS, F_AT_CLOSE, F_TOUCH, F_TAKER, F_MAKER,
 F_SLIPPAGE, F_EQUITY, F_LEAD_BALANCE, F_GROSS_MAX, F_DAILY_LOSS_MAX, F_PAY_START, F_PAY_BAR, F_PAY_RATE, F_PAY_PRICE,
 F_PAY_SLOT, F_PAY_DAYS, F_PAY_COUNT, F_PER_MARKET) = range(23)  # fmt: skip
F_LEVEL = 24
"""Column at which each tree level begins, `LEVELS_MAX + 1` places."""
LEVELS_MAX = 8
F_RULES = 34
"""Three per market: money per tick and step, fewest steps, least notional."""
MARKETS_MAX = 32
F_SIZE = F_RULES + 3 * MARKETS_MAX

# --- candidate rows (candidates.CANDIDATE_COLUMNS)
(C_SOURCE, C_SIZING, C_TARGET, C_DENOMINATOR, C_HEADROOM, C_AGE, C_DRIFT, C_SIDE, C_RUNGS, C_MIN_ORDER, C_FROM_SOURCE,
 C_PROFIT, C_STOP, C_CALLBACK, C_TTL, C_FAILURES, C_COOLDOWN, C_BASE) = range(18)  # fmt: skip
RUNGS_MAX = 8

# --- signal rows (signals.SIGNAL_COLUMNS)
(G_MARKET, G_SIGN, G_KNOWN, G_BAR, G_AGE, G_DRIFT, G_TICKS, G_SEEDED, G_COVERED, G_CLOSE, G_CLOSE_BAR, G_MARGIN,
 G_PAID_UNTIL, G_MARK, G_ENTRY, G_ENTRY_MS, G_PAYMENT, G_MARKS) = range(18)  # fmt: skip
"""`G_MARKS` is where the closes of every market at the signal begin; those at its fill follow them."""

# --- memory: the account first, then sums by market, legs of the candidate, and sections whose places the account holds
(A_CASH, A_SIGNED_COST, A_RESERVED, A_FAILURES, A_UNTIL, A_DAY, A_DAY_CASH, A_STATUS, A_REAL, A_REAL_PEAK, A_DUE_COUNT,
 A_DUE_MS, A_TRADES_COUNT, A_ORDERS_COUNT, A_STATES_COUNT, A_FILLS_COUNT, A_TRIPS_COUNT, A_PEAK, A_PEAK_MAX, A_LOWEST,
 A_GROSS_MAX, A_UNSURE_COUNT, A_ACTIVE, A_FREE, A_ORDERS, A_SLOT_OF, A_DUE, A_PAID, A_STATES, A_UNSURE, A_PNL, A_FILLS,
 A_TRIPS, A_SLEEPERS) = range(34)  # fmt: skip
M_NET = 40
M_GROSS = M_NET + MARKETS_MAX
M_WAITING = M_GROSS + MARKETS_MAX
M_ASKED = M_WAITING + MARKETS_MAX
M_FREE = M_ASKED + RUNGS_MAX + 1
M_MARKS = M_FREE + RUNGS_MAX + 1
M_TRADES = M_MARKS + MARKETS_MAX

# A trade: unsigned places, since a signed one is checked for wrapping around at every access.
# The last six are places of one number per rung.
(T_EPISODE, T_SIDE, T_MARKET, T_SIGN, T_UNIT, T_QUANTITY, T_COST, T_ENTERED, T_FEES, T_SLIPPAGE, T_FUNDING, T_ENTRY_BAR,
 T_ENTRY_MS, T_POS, T_STOP, T_STOP_WHY, T_PROFIT, T_START, T_PEAK, T_RUNGS, T_FILLED, T_PLACED, T_SKIPPED,
 T_SKIPPED_MONEY, T_LAST_TTL, T_LAST_CLOSE, T_MAE, T_MFE, T_LOW, T_HIGH, T_ADDS, T_LEAVING, T_WHY, T_PAID, T_REFUSED,
 T_RESERVED, T_HASH, T_TARGET, T_ASLEEP, T_SLEPT_POS, T_SLEPT_LOW, T_SLEPT_HIGH, T_SLEPT_PEAK, T_SLEPT_STOP,
 T_SLEPT_WHY, T_SCALARS) = (np.uint64(place) for place in range(46))  # fmt: skip
T_LEG, T_PRICE, T_STEPS, T_ASKED, T_HELD_BACK, T_FROM = (np.uint64(48 + RUNGS_MAX * place) for place in range(6))
TRADE = 48 + RUNGS_MAX * 6

# An order that waits: when it is due, whose it is, steps, target. An active trade: its place, when it is due.
ORDER = 4
ACTIVE = 2
# The portfolio from a bar on; per market: signed units, units, and those that entered at this bar's close, long, short.
S_BAR, S_MONEY, S_CASH, S_FRESH, S_MARKET = range(5)
PER_MARKET, PER_MARKET_AT_CLOSE = 2, 4
# A block whose peak is only bounded: state, first bar, end, money, next payment, bound.
UNSURE = 6
FILL, TRIP = 10, 18

# --- integer outputs, in the order of SweepTable without its ratios; then the ratios
(O_STATUS, O_TRADES, O_LONGS, O_WINS, O_NET, O_WON, O_LOST, O_BEST, O_WORST, O_REALISED, O_FEES, O_SLIPPAGE, O_FUNDING,
 O_ENTERED, O_MAE, O_MAE_WORST, O_MFE, O_MFE_BEST, O_BARS, O_ADDS, O_ADDS_MAX, O_PLANNED, O_SKIPPED_RUNGS,
 O_SKIPPED_MONEY, O_HELD_MS, O_HELD_MS_MAX, O_SKIPPED, O_BLOCKED, O_GROSS, O_EQUITY_WORST, O_HASH,
 O_COLUMNS) = range(32)  # fmt: skip
X_SQUARES, X_REALISED, X_MARKED, X_INTRABAR, X_COLUMNS = range(5)

# --- moments: bar << 12 | stage << 8 | market; stages in the order of the reference's bar
AT_OPEN, EXIT_OPEN, ENTRY_OPEN, INSIDE, EXIT_CLOSE, ENTRY_CLOSE, MID_BAR, BAR_END = 0, 2, 3, 4, 5, 6, 7, 9
BAR_SHIFT, STAGE_SHIFT = 12, 8
NO_MOMENT = 2**62

# --- codes: exits (fill_hash.EXIT_CODES), refusals, statuses
SOURCE_CLOSE, TTL, STOP_LOSS, TRAILING, TAKE_PROFIT = 100, 101, 102, 103, 104
DAILY_LOSS, NOTIONAL_GROSS, NOTIONAL_GT_EQUITY = 1, 2, 3
OUT_OF_BOUNDS = 1
