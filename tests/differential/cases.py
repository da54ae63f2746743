"""What a case is: one dbt test on one relation, and how the engine is expected to run it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Judged = Literal["fused", "alone", "either"]
"""How the engine must run a test where dbt can judge it: by its own means (`fused`: a shared scan,
a grouping of its own or a constraint), as dbt's own SQL (`alone`), or whichever it likes."""

BUILT_IN = ("not_null", "unique", "accepted_values", "relationships")


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view as a dbt project knows it; a model's `sql` makes it ephemeral."""

    schema: str
    name: str
    kind: Literal["source", "model"] = "source"
    sql: str | None = None

    @property
    def key(self) -> str:
        """A name for dbt's files: letters, digits and underscores."""
        return plain(f"{self.schema}_{self.name}")

    @property
    def reference(self) -> str:
        """As a template names it."""
        if self.kind == "model":
            return f"ref('{self.key}')"
        return f"source('{plain(self.schema)}', '{plain(self.name)}')"


@dataclass(frozen=True, slots=True)
class Case:
    """A generic test (`test` on `relation`), or a singular one (`sql`, a template).

    An argument may be a `Relation`.
    """

    name: str
    relation: Relation | None = None
    test: str = ""
    column: str | None = None
    quoted: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    sql: str | None = None
    judged: Judged = "either"

    @property
    def kind(self) -> str:
        """What the summary counts it under."""
        return self.test or "singular"


def generic(
    test: str,
    relation: Relation,
    column: str | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    quoted: bool = False,
    judged: Judged | None = None,
) -> Case:
    """A generic test, named by `numbered`; a built-in one must be fused unless told otherwise."""
    return Case(
        name=plain(f"{relation.key}_{test}_{column or ''}"),
        relation=relation,
        test=test,
        column=column,
        quoted=quoted,
        arguments=arguments or {},
        config=config or {},
        judged=judged or ("fused" if test in BUILT_IN else "either"),
    )


def singular(
    name: str, sql: str, config: Mapping[str, Any] | None = None, judged: Judged = "either"
) -> Case:
    """A singular test: a template of SQL."""
    return Case(name=plain(name), sql=sql, config=config or {}, judged=judged)


def numbered(topic: str, cases: Iterable[Case]) -> list[Case]:
    """The cases under names that stand once in a project."""
    return [
        replace(case, name=f"{topic}_{number:03}_{case.name}"[:60].rstrip("_"))
        for number, case in enumerate(cases)
    ]


def topic_of(name: str) -> str:
    """What `numbered` was told of a case with this name."""
    return re.split(r"_\d{3}_", name)[0]


def plain(text: str) -> str:
    """Letters, digits and underscores only."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "x"
