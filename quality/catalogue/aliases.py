"""Rules written with the names of other tools, as rules of the catalogue.

Only what means exactly the same is translated: the same verdict on the same rows. What differs, if
only on NULLs or at the end of a range, is refused with a sentence that says what to write instead.
Thresholds of the rule keep their own meaning: they count what the canonical type counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic_core import PydanticCustomError

from quality.catalogue.elsewhere import dbt_packages, great_expectations, soda
from quality.catalogue.elsewhere.translation import REFUSED, Alias, Differs
from quality.errors import InvalidInput

_ODCS = (
    *("rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues"),
    *("countCheck", "nullCheck", "validValues", "duplicateCount", "duplicateCheck"),
)

_TOOLS: dict[str, dict[str, Alias]] = {
    "great_expectations": great_expectations.ALIASES,
    "dbt_expectations": dbt_packages.DBT_EXPECTATIONS,
    "dbt_utils": dbt_packages.DBT_UTILS,
}
_DIFFERENT: dict[str, dict[str, str]] = {
    "great_expectations": great_expectations.DIFFERENT,
    "dbt_expectations": dbt_packages.DIFFERENT,
}


def is_alias(name: str) -> bool:
    """Whether the name is one of another tool's, or says that it is."""
    return _tool_of(name)[0] is not None


def canonical(document: dict[str, Any]) -> dict[str, Any]:
    """The rule with the catalogue's names for its type and arguments; itself where it has them.

    A type may say whose name it is: `dbt_expectations.…`, `dbt_utils.…`, `great_expectations.…`,
    `soda.…`, `odcs.…`; without that `expect_…` is Great Expectations'. Raises PydanticCustomError
    (`alias_differs`) with the remedy.
    """
    name = document.get("type")
    if not isinstance(name, str) or not isinstance(document.get("arguments", {}), Mapping):
        return document
    tool, bare = _tool_of(name)
    if tool is None:
        return document
    try:
        if tool == "odcs":
            return _of_contract(document, bare)
        if tool == "soda":
            return soda.rule_of(document, bare)
        alias = _TOOLS[tool].get(bare)
        if alias is None:
            raise Differs(
                _DIFFERENT.get(tool, {}).get(bare)
                or "has no equal here that is known to be the same; GET /api/v1/rule-types lists "
                "the rule types"
            )
        return _translated(document, alias)
    except (Differs, InvalidInput) as reason:
        words = f"{name}: {reason}"
        raise PydanticCustomError("alias_differs", "{words}", {"words": words}) from None


def _tool_of(name: str) -> tuple[str | None, str]:
    """Whose name it is, None where it is nobody's; and the name without that."""
    tool, dot, bare = name.rpartition(".")
    tool = {"gx": "great_expectations"}.get(tool, tool)
    if dot:
        return (tool if tool in (*_TOOLS, "odcs", "soda") else None), bare
    if bare.startswith("expect_"):
        return "great_expectations", bare
    if bare in _ODCS:
        return "odcs", bare
    return ("soda" if bare in soda.OWN_NAMES else None), bare


def _translated(document: dict[str, Any], alias: Alias) -> dict[str, Any]:
    theirs = dict(document.get("arguments") or {})
    rule = {key: value for key, value in document.items() if key not in ("type", "arguments")}
    ours: dict[str, Any] = dict(alias.given)
    for key, value in alias.assumed.items():
        theirs.setdefault(key, value)
    mostly = theirs.pop("mostly", 1) if alias.mostly != "unknown" else 1
    for key, value in theirs.items():
        if value is None:
            continue
        if key in ("column", "column_name"):
            rule["column"] = value
        elif key in alias.allowed:
            if value not in alias.allowed[key]:
                raise Differs(alias.refused.get(key) or f"has no equal for {key}: {value}")
        elif key in alias.renamed:
            target = alias.renamed[key]
            (rule if target == "column" else ours)[target] = value
        elif key in alias.same:
            ours[key] = value
        else:
            words = alias.refused.get(key) or REFUSED.get(key)
            raise Differs(words or f"has no equal for the argument {key}")
    if alias.finish is not None:
        alias.finish(ours, rule)
    if mostly != 1:
        _allow_some(rule, mostly, alias)
    return {**rule, "type": alias.type, "arguments": ours}


def _allow_some(rule: dict[str, Any], mostly: Any, alias: Alias) -> None:
    """`mostly: 0.95` of Great Expectations: at most 5 % of those tested may fail."""
    if isinstance(mostly, bool) or not isinstance(mostly, (int, float)) or not 0 <= mostly <= 1:
        raise Differs("mostly must be a number from 0 to 1")
    if alias.mostly == "differs":
        raise Differs(
            "mostly counts among values that are not NULL, a percentage here among all rows: "
            'write error_if: "> 5%" and a where that leaves NULLs out'
        )
    if "error_if" in rule or "warn_if" in rule:
        raise Differs("takes mostly or thresholds, not both")
    share = (1 - Decimal(str(mostly))) * 100
    rule["warn_if"] = rule["error_if"] = f"> {share.normalize():f}%"


def _of_contract(document: dict[str, Any], metric: str) -> dict[str, Any]:
    """A metric of the Open Data Contract Standard, its operator among the arguments."""
    # Here, because the package reads rules and rules read this module.
    from quality.exchange.odcs_metrics import rules_of

    entry = {**(document.get("arguments") or {}), "metric": metric}
    known = ("metric", "unit", "validValues", "pattern")
    nested = {k: v for k, v in entry.items() if k not in known and not k.startswith("must")}
    if nested:
        entry = {k: v for k, v in entry.items() if k not in nested}
        entry["arguments"] = nested
    if not any(key.startswith("must") for key in entry):
        raise Differs("needs an operator of the standard, such as mustBe: 0")
    found = rules_of(entry, document.get("column"), {})
    if len(found) != 1:
        raise Differs(f"stands for {len(found)} rules; write them one by one")
    (rule,) = found
    rest = {key: value for key, value in document.items() if key not in ("type", "arguments")}
    if {"warn_if", "error_if"} & rest.keys() & rule.keys():
        raise Differs("takes an operator of the standard or thresholds, not both")
    return {"arguments": {}, **{k: v for k, v in rest.items() if k != "column"}, **rule}
