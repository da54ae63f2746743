"""Cases of the dimension timeliness."""

from __future__ import annotations

from tests.differential.rule_types.case import bad, case, good

HOUR = {"count": 1, "period": "hour"}
WEEK = {"count": 1, "period": "week"}
CASES = (
    case("recency", "seen", {"datepart": "day", "interval": 1},
         good(3), good(6), bad(1, 3), bad(1, 0)),
    case("recency", "seen", {"datepart": "hour", "interval": 1, "ignore_time_component": True},
         good(3), good(6), bad(1, 3), bad(1, 0)),
    case("recency", "day", {"datepart": "day", "interval": 1, "ignore_time_component": True},
         bad(1, 3), good(6), bad(1, 3), bad(1, 0)),
    case("freshness", "seen", {"error_after": HOUR}, good(3), good(6), bad(1, 3), bad(1, 0)),
    # Two rows, one for each limit; dbt alone has no thresholds but its own.
    case("freshness", "day", {"warn_after": HOUR, "error_after": WEEK},
         bad(2, 3), good(6), bad(2, 3), bad(2, 0)),
    case("arrival_sla", "day", {"sla_time": "00:00", "timezone": "Pacific/Kiritimati"},
         bad(1, 3), good(6), bad(1, 3), bad(1, 0)),
    case("arrival_sla", "day", {"sla_time": "00:00", "days_of_week": [1, 2, 3, 4, 5, 6, 7],
                                "days_of_month": list(range(1, 32))},
         bad(1, 3), good(6), bad(1, 3), bad(1, 0)),
    case("event_lag_between", "day", {"load_column": "seen", "min_value": 1e6},
         good(3), good(6), good(3), good(0)),
    # From infinity to infinity is no number, which is more than any.
    case("event_lag_between", "seen", {"load_column": "seen", "max_value": 1},
         good(3), bad(1, 6), good(3), good(0)),
    case("event_lag_between", "seen", {"load_column": "seen", "min_value": 0.5, "percentile": 0.5},
         bad(1, 3), good(6), good(3), good(0)),
    case("rows_per_window", "day", {"window_minutes": 1440, "lookback_windows": 10},
         bad(10, None), bad(10, None), bad(10, None), bad(10, None)),
    case("rows_per_window", "day", {"window_minutes": 1440},
         good(None), bad(2, None), good(None), good(None)),
    case("retention", "seen", {"datepart": "week", "interval": 1},
         good(3), bad(1, 6), good(3), good(0)),
    case("retention", "day", {"datepart": "year", "interval": 50},
         good(3), good(6), good(3), good(0)),
)  # fmt: skip
