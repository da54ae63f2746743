"""History: judging what rules measure by what they measured before. Pure functions, no storage."""

from __future__ import annotations

from quality.history.judged import Judged
from quality.history.judging import judge
from quality.history.series import Reach, Series, definition_hash, reach, series_of
from quality.history.values import Earlier

__all__ = ["Earlier", "Judged", "Reach", "Series", "definition_hash", "judge", "reach", "series_of"]
