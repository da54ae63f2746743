"""The rules of one table as they stand in a file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quality.names import ConnectionName, Owner, TableText, Text
from quality.rules import MAX_RULES, Rule


class TableHeader(BaseModel):
    """What a file says of its table. An owner or a description that is not given stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connection: ConnectionName = "demo"
    table: TableText
    owner: Owner | None = None
    description: Annotated[Text, Field(max_length=2000)] = ""


class TableRules(TableHeader):
    """A table with its rules; names of rules are unique (see `rule_files.read`)."""

    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.connection, self.table

    def document(self) -> dict[str, Any]:
        """As written to a file: without what is default."""
        header = self.model_dump(mode="json", exclude={"rules"}, exclude_defaults=True)
        return {
            "connection": self.connection,
            **header,
            "rules": [brief(rule) for rule in self.rules],
        }


def brief(rule: Rule) -> dict[str, Any]:
    """A rule without the fields and arguments that are default, but always with its name."""
    whole = rule.document()
    for name, field in rule.rule_type.arguments.model_fields.items():
        key = field.alias or name
        if key in whole["arguments"] and whole["arguments"][key] == field.default:
            del whole["arguments"][key]
    found = {}
    for name, field in Rule.model_fields.items():
        value = whole[name]
        default = field.get_default(call_default_factory=True)
        if name in ("name", "type"):
            is_said = True
        elif name == "dimension":
            is_said = value != rule.rule_type.dimension
        elif name == "severity":
            is_said = value != default or _says_the_usual(rule)
        else:
            is_said = value not in (None, [], {}) and value != default
        if is_said:
            found[name] = value
    return found


def _says_the_usual(rule: Rule) -> bool:
    """Whether severity and thresholds are those of other types, and its own type's would take
    their place if nothing were said."""
    if not rule.typed_arguments().thresholds():
        return False
    fields = ("severity", "warn_if", "error_if")
    return all(getattr(rule, name) == Rule.model_fields[name].default for name in fields)
