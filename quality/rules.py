"""Rules and rule sets: the configuration of what a table must satisfy."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from quality.catalogue import RULE_TYPES, Arguments, Dimension, RuleType
from quality.catalogue.aliases import canonical, is_alias
from quality.documents import canonical_json, strictly
from quality.names import Identifier, Owner, RuleName, TableName, Tag, Text
from quality.predicates import Predicates
from quality.thresholds import Threshold

Severity = Literal["error", "warn"]
Kind = Literal["engineering", "business"]

MAX_RULES = 200
MAX_SAMPLE_ROWS = 100
_NO_PART_OF_A_VERDICT = (
    *("owner", "tags", "description", "business_impact", "is_active", "valid_from", "valid_to"),
)

_OF_ROWS_BESIDE_A_TABLE = ("relationships", "relationships_where")
"""Types with another table that say something of each row of the checked one."""

SomeColumns = Annotated[tuple[Identifier, ...], Field(max_length=32)]


class Rule(BaseModel):
    """One rule of one table, as written by its author.

    `severity: error` (the default) makes a rule fail where `error_if` holds for the count of
    failing rows, and warn where `warn_if` does; `severity: warn` never looks at `error_if` (dbt's
    semantics). A threshold in percent is the share of the rows tested that fail. `where` narrows
    the rows that the rule looks at.

    `group_by` has the rule judged for each group of rows and for all together. `sample_limit` rows
    that fail are kept with a result (None: as the settings say), with `sample_columns` (none named:
    the key of the table and the columns of the rule); `mask` names columns whose values never leave
    the database. A shadow rule is judged and recorded, and is no part of any status, count, score
    or verdict. Before `valid_from` and from `valid_to` on the rule is no part of the rule set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: RuleName = ""
    type: str
    column: Identifier | None = Field(default=None, validate_default=True)
    arguments: dict[str, Any] = Field(default_factory=dict, validate_default=True)
    severity: Severity = "error"
    warn_if: Threshold = "!= 0"
    error_if: Threshold = "!= 0"
    where: Predicates = ()
    dimension: Dimension | None = None
    kind: Kind = "engineering"
    owner: Owner | None = None
    tags: tuple[Tag, ...] = Field(default=(), max_length=20)
    description: Annotated[Text, Field(max_length=2000)] = ""
    is_active: bool = True
    group_by: Annotated[tuple[Identifier, ...], Field(max_length=3)] = ()
    sample_limit: Annotated[int, Field(ge=0, le=MAX_SAMPLE_ROWS)] | None = None
    sample_columns: SomeColumns = ()
    mask: SomeColumns = ()
    is_shadow: bool = False
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None
    business_impact: Annotated[Text, Field(max_length=2000)] = ""
    weight: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if value not in RULE_TYPES and not is_alias(value):
            raise PydanticCustomError(
                "rule_type_unknown",
                "is not a known rule type; known are {known}",
                {"known": ", ".join(RULE_TYPES)},
            )
        return value

    @field_validator("arguments")
    @classmethod
    def _typed_arguments(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        # A ValidationError from within keeps the argument's own path below `arguments`.
        entry = RULE_TYPES.get(info.data.get("type", ""))
        if entry is None:  # the type's own error says enough
            return value
        model = strictly(entry.arguments, value)
        return model.model_dump(mode="json", exclude_none=True, by_alias=True)

    @field_validator("warn_if", "error_if")
    @classmethod
    def _counts_rows(cls, value: str, info: ValidationInfo) -> str:
        entry = RULE_TYPES.get(info.data.get("type", ""))
        if entry is None or not value.endswith("%"):
            return value
        counts_rows = entry.takes_percent
        if counts_rows and "arguments" in info.data:
            counts_rows = strictly(entry.arguments, info.data["arguments"]).counts_rows
        if not counts_rows:
            raise PydanticCustomError(
                "threshold_percent",
                "is a percentage, but type {type} counts no rows; give a whole number",
                {"type": entry.name},
            )
        return value

    @field_validator("group_by", "sample_columns", "mask")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise PydanticCustomError("column_twice", "names a column twice")
        return value

    @field_validator("group_by")
    @classmethod
    def _can_be_grouped(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        entry = RULE_TYPES.get(info.data.get("type", ""))
        is_whole = entry is not None and (
            entry.category in ("M", "S", "H")
            or entry.tested == "none"
            or (entry.category == "X" and entry.name not in _OF_ROWS_BESIDE_A_TABLE)
        )
        if entry is not None and value and is_whole:
            raise PydanticCustomError(
                "group_by_not_taken",
                "is not taken by type {type}, which is about the table as a whole",
                {"type": entry.name},
            )
        return value

    @field_validator("mask")
    @classmethod
    def _hides_no_group(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        # Of other types they are not read yet, and may be anything.
        is_known = info.data.get("type") in RULE_TYPES
        arguments = info.data.get("arguments", {}) if is_known else {}
        for where, columns in (
            ("group_by", info.data.get("group_by", ())),
            ("arguments.group_columns", arguments.get("group_columns", ())),
        ):
            if shown := set(value).intersection(columns):
                raise PydanticCustomError(
                    "column_shown",
                    'masks "{column}", which {where} shows',
                    {"column": min(shown), "where": where},
                )
        return value

    @field_validator("valid_to")
    @classmethod
    def _after_the_beginning(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        begins = info.data.get("valid_from")
        if value is not None and begins is not None and value <= begins:
            raise PydanticCustomError("not_after_valid_from", "must be later than valid_from")
        return value

    @field_validator("column")
    @classmethod
    def _fits_its_type(cls, value: str | None, info: ValidationInfo) -> str | None:
        entry = RULE_TYPES.get(info.data.get("type", ""))
        if entry is not None and entry.takes_column and value is None:
            raise PydanticCustomError(
                "column_missing", "is required for type {type}", {"type": entry.name}
            )
        if entry is not None and not entry.takes_column and value is not None:
            raise PydanticCustomError(
                "column_not_taken", "is not taken by type {type}", {"type": entry.name}
            )
        return value

    @model_validator(mode="after")
    def _completed(self) -> Rule:
        if self.type not in RULE_TYPES:
            # Not before: what a validator hands back is read by Python's types, not by JSON's.
            written = self.model_dump(mode="json", exclude_unset=True)
            return strictly(Rule, canonical(written))
        if self.dimension is None:
            object.__setattr__(self, "dimension", self.rule_type.dimension)
        if self.model_fields_set.isdisjoint(("severity", "warn_if", "error_if")):
            for field_name, value in self.typed_arguments().thresholds().items():
                object.__setattr__(self, field_name, value)
        if not self.name:
            words = f"{self.type} {self.column or ''}".lower()
            object.__setattr__(self, "name", re.sub(r"[^a-z0-9]+", "_", words).strip("_")[:63])
        return self

    @property
    def rule_type(self) -> RuleType:
        """The catalogue's entry."""
        return RULE_TYPES[self.type]

    def typed_arguments(self) -> Arguments:
        """The arguments as their type's model."""
        return strictly(self.rule_type.arguments, self.arguments)

    def columns(self) -> list[str]:
        """Every column of the checked table that the rule names."""
        named = [self.column] if self.column is not None else []
        named += self.typed_arguments().columns()
        return [*named, *(predicate.column for predicate in self.where)]

    def is_in_force(self, now: datetime) -> bool:
        """Whether the rule is active and `now` (with a time zone) lies within its validity."""
        return (
            self.is_active
            and (self.valid_from is None or self.valid_from <= now)
            and (self.valid_to is None or now < self.valid_to)
        )

    def document(self) -> dict[str, Any]:
        """As stored and shown: every field, defaults included."""
        document = self.model_dump(mode="json")
        document["where"] = [predicate.document() for predicate in self.where]
        return document


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The active rules of one table on one connection: what a check runs.

    `hash` covers what can change an outcome, so that equal sets share a compiled plan, and two
    checks with the same hash and scope may share one run.
    """

    connection: str
    table: TableName
    rules: tuple[Rule, ...]
    _hash: str = field(default="", init=False, repr=False, compare=False)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of table and rules, without what only describes them; worked out once."""
        if not self._hash:
            document = self.document()
            for rule in document["rules"]:
                for field_name in _NO_PART_OF_A_VERDICT:
                    del rule[field_name]
            found = hashlib.sha256(canonical_json(document)).hexdigest()
            object.__setattr__(self, "_hash", found)
        return self._hash

    def document(self) -> dict[str, Any]:
        """As it travels with a claim."""
        return {
            "connection": self.connection,
            "table": str(self.table),
            "rules": [rule.document() for rule in self.rules],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> RuleSet:
        """Back from `document()`; raises pydantic's ValidationError when it is not one."""
        return cls(
            document["connection"],
            TableName.parse(document["table"]),
            tuple(strictly(Rule, rule) for rule in document["rules"]),
        )
