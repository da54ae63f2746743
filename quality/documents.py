"""JSON and YAML from outside, read strictly.

Python's own parsers are lenient where it matters here: they take NaN and Infinity, keep the last of
two equal keys, and recurse without a limit; YAML adds aliases that expand without one.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel

from quality.errors import MalformedDocument

MAX_DEPTH = 32
_MAX_BITS = 1024
_NOT_IN_JSON = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "value", "merge")}
# Numbers and booleans of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/, 10.3.2), where a
# number does not begin with a 0 that says nothing.
_IN_JSON = {
    "tag:yaml.org,2002:bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "tag:yaml.org,2002:int": re.compile(r"(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+)\Z"),
    "tag:yaml.org,2002:float": re.compile(
        r"(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
}

Model = TypeVar("Model", bound=BaseModel)


def read_json(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """One JSON value (RFC 8259) from UTF-8 bytes.

    Raises MalformedDocument with code `body_empty`, `encoding`, `json_invalid`, `json_number`,
    `json_duplicate_key` or `json_too_deep`.
    """
    if not raw.strip():
        raise MalformedDocument("is empty; expected a JSON object", code="body_empty")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedDocument(f"is not UTF-8 (byte {error.start})", code="encoding") from None
    try:
        value = _JSON.decode(text)
    except RecursionError:
        raise MalformedDocument(
            f"is nested deeper than {max_depth}", code="json_too_deep"
        ) from None
    except json.JSONDecodeError as error:
        raise MalformedDocument(
            f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})",
            code="json_invalid",
        ) from None
    except ValueError as error:  # an integer of more than 4300 digits
        raise MalformedDocument(f"is not JSON: {error}", code="json_number") from None
    _limit_depth(value, max_depth)
    return value


def read_yaml(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """One YAML document as plain data: no tags, no aliases, no duplicate keys.

    Raises MalformedDocument with code `body_empty`, `encoding`, `yaml_invalid` or `json_too_deep`.
    """
    if not raw.strip():
        raise MalformedDocument("is empty; expected a YAML mapping", code="body_empty")
    try:
        value = yaml.load(raw.decode("utf-8"), Loader=_StrictLoader)  # noqa: S506 a SafeLoader
    except UnicodeDecodeError as error:
        raise MalformedDocument(f"is not UTF-8 (byte {error.start})", code="encoding") from None
    except RecursionError:
        raise MalformedDocument(
            f"is nested deeper than {max_depth}", code="json_too_deep"
        ) from None
    except yaml.YAMLError as error:
        first_line = " ".join(str(error).split())[:300]
        raise MalformedDocument(f"is not YAML: {first_line}", code="yaml_invalid") from None
    except ValueError as error:  # 2026-02-30 as a timestamp
        raise MalformedDocument(f"is not YAML: {error}", code="yaml_invalid") from None
    _limit_depth(value, max_depth)
    _require_plain(value)
    return value


def lines_of_yaml(raw: bytes) -> dict[str, int]:
    """On which line (from 1) each field of a YAML document stands, by its path as faults name it
    (`rules[3].column`); the document itself is at "". Call it only on what `read_yaml` took."""
    lines: dict[str, int] = {}
    root = yaml.compose(raw.decode("utf-8"), Loader=_StrictLoader)
    nodes: list[tuple[str, yaml.Node, int]] = [("", root, 1)] if root is not None else []
    while nodes:
        path, node, line = nodes.pop()
        lines[path] = line
        if isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                name = f"{path}.{key.value}" if path else str(key.value)
                nodes.append((name, child, key.start_mark.line + 1))
        elif isinstance(node, yaml.SequenceNode):
            for place, child in enumerate(node.value):
                nodes.append((f"{path}[{place}]", child, child.start_mark.line + 1))
    return lines


def read_object(raw: bytes) -> dict[str, Any]:
    """A JSON object; anything else is MalformedDocument with code `json_not_object`."""
    value = read_json(raw)
    if not isinstance(value, dict):
        raise MalformedDocument("is JSON, but not an object", code="json_not_object")
    return value


def strictly(model: type[Model], document: Any) -> Model:
    """The document as a model by JSON's own types: "5" is no number, 1 is no boolean.

    Raises pydantic's ValidationError.
    """
    return model.model_validate_json(canonical_json(document), strict=True)


def canonical_json(value: Any) -> bytes:
    """The one spelling that hashes are taken of: sorted keys, no blanks, ASCII."""
    return _CANONICAL.encode(value).encode()


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedDocument(
                    f'has the key "{key[:60]}" twice in one object', code="json_duplicate_key"
                )
            seen.add(key)
    return result


def _refuse_number(text: str) -> NoReturn:
    raise MalformedDocument(f"has {text}, which is no JSON number", code="json_number")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedDocument(f"has the number {text[:40]}, out of range", code="json_number")
    return value


_JSON = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=_refuse_number, parse_float=_finite_float
)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def _limit_depth(value: Any, max_depth: int) -> None:
    level = [value]
    for _ in range(max_depth + 1):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise MalformedDocument(f"is nested deeper than {max_depth}", code="json_too_deep")


def _require_plain(value: Any) -> None:
    """Refuse what YAML has and JSON has not: bytes, sets, infinities."""
    nodes = [value]
    while nodes:
        node = nodes.pop()
        if isinstance(node, (dict, list)):
            nodes += node.values() if isinstance(node, dict) else node
        elif isinstance(node, float) and not math.isfinite(node):
            raise MalformedDocument("has a number that is not finite", code="yaml_invalid")
        elif isinstance(node, int) and node.bit_length() > _MAX_BITS:
            raise MalformedDocument("has a number that is too large", code="yaml_invalid")
        elif not (node is None or isinstance(node, (str, bool, int, float))):
            raise MalformedDocument(
                f"has a value of the kind {type(node).__name__}, which JSON has not",
                code="yaml_invalid",
            )


class _StrictLoader(yaml.SafeLoader):
    """YAML's plain data, meaning what it means in JSON: timestamps, `=` and `<<` are text, and as
    in YAML 1.2 so are `no`, `on` and `12:30`."""

    yaml_implicit_resolvers = {  # noqa: RUF012 declared by the base class
        first: [
            (tag, _IN_JSON.get(tag, regexp)) for tag, regexp in resolvers if tag not in _NOT_IN_JSON
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"aliases are not supported (line {event.start_mark.line + 1})")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.YAMLError(f"a key must be text (line {key_node.start_mark.line + 1})")
            if key in seen:
                raise yaml.YAMLError(
                    f'the key "{key[:60]}" stands twice (line {key_node.start_mark.line + 1})'
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
