"""Budgets: what one check may cost on the database that it looks at."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Number = TypeVar("Number", int, float)


class Budget(BaseModel):
    """What one check may cost on its target; None: as much as it takes.

    `rows`: estimated ones that its queries look at. `seconds`: of time. `queries`: at a time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None
    queries: Annotated[int, Field(ge=1, le=64)] | None = None

    def within(self, limit: Budget) -> Budget:
        """This budget, but nowhere more than `limit` allows."""
        if limit is UNLIMITED:
            return self
        return Budget(
            rows=_least(self.rows, limit.rows),
            seconds=_least(self.seconds, limit.seconds),
            queries=_least(self.queries, limit.queries),
        )

    def document(self) -> dict[str, Any]:
        """As stored and sent: what is limited."""
        return self.model_dump(mode="json", exclude_none=True)


def _least(one: Number | None, other: Number | None) -> Number | None:
    return min((value for value in (one, other) if value is not None), default=None)


UNLIMITED = Budget()
