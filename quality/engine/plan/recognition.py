"""Recognises what a compiled test asks, from its SQL.

What is not exactly one of the shapes is left as it is: better slow than another count.
"""

from __future__ import annotations

from collections.abc import Sequence

from quality.engine.plan.lexing import VALUES, Token, Unreadable, render, tokens_of
from quality.engine.plan.queries import (
    Select,
    Tokens,
    Unstructured,
    closing,
    ctes_of,
    named,
    select_of,
    source_of,
    split,
)
from quality.engine.plan.shapes import (
    Aggregate,
    Duplicates,
    Orphans,
    RelationName,
    Rows,
    Shape,
    Subject,
    Values,
)

# How dbt's own test of relationships ends; the queries of child and parent stand before it.
_LEFT_JOIN = (
    *("select", "from_field", "from", "child", "left", "join", "parent"),
    *("on", "child", ".", "from_field", "=", "parent", ".", "to_field"),
    *("where", "parent", ".", "to_field", "is", "null"),
)
_PLAIN_AGGREGATES = {
    *("count", "min", "max", "sum", "avg", "bool_and", "bool_or", "every"),
    *("corr", "stddev_samp"),
}
_NOT_IN_CALLS = {"distinct", "select", "table", "order", "over", "filter"}


def recognise(sql: str) -> Shape | None:
    """The test's shape, None where it has none of them."""
    try:
        ctes, rest = ctes_of(tokens_of(sql))
        if tuple(_texts(rest)) == _LEFT_JOIN and list(ctes) == ["child", "parent"]:
            return _orphans(select_of(ctes["child"]), select_of(ctes["parent"]))
        select = select_of(rest)
    except (Unreadable, Unstructured):
        return None
    return _Reader(ctes).shape(select) if select is not None else None


class _Reader:
    """Reads queries whose FROM may name one of the common table expressions that are in sight."""

    def __init__(self, ctes: dict[str, Tokens]) -> None:
        self._ctes = ctes

    def shape(self, select: Select) -> Shape | None:
        if select.group:
            return self._grouped(select)
        if select.having:
            return None
        return self._filtered_groups(select) or self._filtered_rows(select)

    def _filtered_rows(self, select: Select) -> Shape | None:
        """`select <columns> from <subject> where <predicate>`, also through selects of all."""
        subject = self._subject(select)
        if subject is None or not subject.conditions:
            return None
        selected = _selected(select.items)
        if selected is None:
            return None
        *narrowing, predicate = subject.conditions
        return Rows(Subject(subject.relation, tuple(narrowing)), predicate, selected)

    def _grouped(self, select: Select) -> Shape | None:
        """`select … from <subject> [where …] group by <keys> [having count(*) > 1]`."""
        keys = tuple(_column(key) or "" for key in split(select.group))
        subject = self._subject(select)
        if subject is None or not all(keys):
            return None
        for item in split(select.items):
            expression, _ = _without_alias(item)
            is_plain = _is_count(expression) or _is_literal(expression)
            if not is_plain and _column(expression) not in keys:
                return None
        if _texts(select.having) == ["count", "(", "*", ")", ">", "1"]:
            return _duplicates(subject, keys, select.where)
        if select.having or len(keys) != 1 or not select.where:
            return None
        *narrowing, predicate = subject.conditions
        return Values(Subject(subject.relation, tuple(narrowing)), keys[0], predicate)

    def _filtered_groups(self, select: Select) -> Shape | None:
        """`select … from (select <groups or aggregates>) where <condition on its columns>`."""
        below = self._query_below(select)
        if below is None or not select.where:
            return None
        reader, inner, alias = below
        condition = _unqualified(select.where, {alias} if alias else set())
        if inner.having or condition is None:
            return None
        subject = reader._subject(inner)
        if subject is None:
            return None
        if inner.group:
            return _values(select, inner, subject, condition)
        return _aggregate(select, inner, subject, condition)

    def _query_below(self, select: Select) -> tuple[_Reader, Select, str | None] | None:
        """The query in FROM, who can read it, and the name by which it is known."""
        source = source_of(select.source)
        if source is None:
            return None
        reader, query, alias = self, source.query, source.alias
        if len(source.relation) == 1:
            name = source.relation[0].identifier or ""
            if name not in self._ctes:
                return None
            reader, query, alias = self._before(name), self._ctes[name], alias or name
        inner = select_of(query) if query else None
        return (reader, inner, alias) if inner is not None else None

    def _before(self, name: str) -> _Reader:
        """Within its own query a common table expression sees those before it."""
        names = list(self._ctes)
        return _Reader({other: self._ctes[other] for other in names[: names.index(name)]})

    def _subject(self, select: Select) -> Subject | None:
        """The relation below a chain of `select * from … where …`, and every condition."""
        source = source_of(select.source)
        if source is None:
            return None
        query_below = self._query_below(select)
        is_cte = len(source.relation) == 1 and source.relation[0].identifier in self._ctes
        if query_below is None and (source.query or is_cte):
            return None
        if query_below is not None:
            reader, inner, alias = query_below
            if inner.group or inner.having or _texts(inner.items) != ["*"]:
                return None
            subject = reader._subject(inner)
            qualifiers = {alias} if alias else set()
        else:
            relation = _relation_name(source.relation)
            subject = Subject(relation) if relation is not None else None
            # Without an alias its own name is one, and means the same in a scan of our own.
            qualifiers = {source.alias} if source.alias else set()
            if relation is not None and not source.alias:
                qualifiers = {relation.name}
        if subject is None or not select.where:
            return subject
        named_itself = query_below is None and source.alias is None
        condition = _unqualified(select.where, qualifiers, may_stand_alone=named_itself)
        if condition is None:
            return None
        return Subject(subject.relation, (*subject.conditions, render(condition)))


def _values(select: Select, inner: Select, subject: Subject, condition: Tokens) -> Values | None:
    keys = list(split(inner.group))
    key = _column(keys[0]) if len(keys) == 1 else None
    if key is None:
        return None
    columns: dict[str, str] = {}
    counts: set[str] = set()
    for item in split(inner.items):
        expression, alias = _without_alias(item)
        if _is_count(expression) and alias is not None:
            counts.add(alias)
            continue
        if _column(expression) != key:
            return None
        columns[alias or expression[-1].identifier or ""] = key
    if not _is_membership(condition, set(columns)):
        return None
    if not _selects_only(select.items, counts | set(columns)):
        return None
    return Values(subject, key, render(condition, columns))


def _is_membership(condition: Tokens, columns: set[str]) -> bool:
    """`<column> [not] in (<literals>)`, which holds for all of a group's rows or for none.

    Anything else could tell apart what GROUP BY does not, such as 1.0 and 1.00.
    """
    words = [token.word for token in condition]
    start = 3 if words[1:3] == ["not", "in"] else 2 if words[1:2] == ["in"] else 0
    if not start or condition[0].column not in columns or condition[start].text != "(":
        return False
    if closing(condition, start) != len(condition) - 1:
        return False
    for value in split(condition[start + 1 : -1]):
        if value and value[0].text == "-":
            value = value[1:]
        is_word = bool(value) and value[0].word in ("true", "false", "null")
        if len(value) != 1 or not (value[0].kind in ("string", "number") or is_word):
            return False
    return True


def _aggregate(
    select: Select, inner: Select, subject: Subject, condition: Tokens
) -> Aggregate | None:
    measures: dict[str, str] = {}
    for item in split(inner.items):
        expression, alias = named(item)
        call = _aggregate_call(expression)
        if call is None or alias is None or alias in measures or alias in VALUES:
            return None
        measures[alias] = call
    if not _names_in(condition) <= set(measures):
        return None
    if not _selects_only(select.items, set(measures)):
        return None
    return Aggregate(subject, tuple(measures.items()), condition)


def _orphans(child: Select | None, parent: Select | None) -> Orphans | None:
    if child is None or parent is None or parent.where or parent.group or child.group:
        return None
    key, from_field = _without_alias(child.items)
    field, to_field = _without_alias(parent.items)
    below = _Reader({})._subject(child)
    above = _Reader({})._subject(parent)
    column, other = _column(key), _column(field)
    if below is None or above is None or above.conditions or column is None or other is None:
        return None
    names_fit = (from_field, to_field) == ("from_field", "to_field")
    if not names_fit or not _is_not_null(child.where, column):
        return None
    subject = Subject(below.relation, below.conditions[:-1])
    return Orphans(subject, column, above.relation, other)


def _duplicates(subject: Subject, keys: tuple[str, ...], where: Tokens) -> Duplicates:
    conditions = subject.conditions
    if len(keys) == 1 and _is_not_null(where, keys[0]):
        return Duplicates(Subject(subject.relation, conditions[:-1]), keys, with_nulls=False)
    return Duplicates(subject, keys, with_nulls=True)


def _relation_name(parts: Sequence[Token]) -> RelationName | None:
    names = [part.identifier for part in parts]
    if not names or any(name is None for name in names):
        return None
    padded = [None] * (3 - len(names)) + names
    return RelationName(
        padded[0], padded[1], names[-1] or "", ".".join(part.text for part in parts)
    )


def _unqualified(
    tokens: Tokens, qualifiers: set[str], *, may_stand_alone: bool = False
) -> Tokens | None:
    """A condition without the names of the relation that it stands over.

    None where it has a query of its own, names another relation or a schema, or means the row as a
    whole, for which there is no other word (`may_stand_alone`: the name is the relation's own).
    """
    kept: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
        is_field = place > 0 and tokens[place - 1].text == "."
        if token.word in ("select", "with", "over", "values", "table"):
            return None
        if token.identifier is not None and not is_field:
            if following == ".":
                star = place + 2 < len(tokens) and tokens[place + 2].text == "*"
                if token.identifier not in qualifiers or star:
                    return None
                # Quoted, because a bare name can mean something else: user, current_date, null.
                name = (tokens[place + 2].identifier or "").replace('"', '""')
                # Apart from what stands before, which it could be read together with: u&"…".
                kept.append(Token("quoted", f'"{name}"', token.depth, gap=True))
                place += 3
                continue
            if token.identifier in qualifiers and not may_stand_alone:
                return None
        kept.append(token)
        place += 1
    return tuple(kept)


def _column(tokens: Tokens) -> str | None:
    """A column's name as it stands, None for any other expression."""
    if len(tokens) == 1 and tokens[0].column is not None:
        return tokens[0].text
    return None


def _without_alias(item: Tokens) -> tuple[Tokens, str | None]:
    expression, alias = named(item)
    if alias is None and len(item) == 2 and item[0].identifier and item[1].identifier:
        return item[:1], item[1].identifier
    return expression, alias


def _is_harmless(item: Tokens) -> bool:
    """A column, `*` or a literal: nothing that could fail, or make one row into several."""
    expression, _ = _without_alias(item)
    if not expression:
        return False
    if len(expression) == 1:
        only = expression[0]
        return only.text == "*" or only.kind in ("number", "string") or only.identifier is not None
    names, dots = expression[::2], expression[1::2]
    return all(dot.text == "." for dot in dots) and all(
        name.identifier is not None or name.text == "*" for name in names
    )


def _is_literal(expression: Tokens) -> bool:
    return len(expression) == 1 and expression[0].kind in ("number", "string")


def _is_count(expression: Tokens) -> bool:
    return _texts(expression) == ["count", "(", "*", ")"]


def _aggregate_call(expression: Tokens) -> str | None:
    if len(expression) < 3 or expression[0].word not in _PLAIN_AGGREGATES:
        return None
    if expression[1].text != "(" or closing(expression, 1) != len(expression) - 1:
        return None
    inside = expression[2:-1]
    if any(token.word in _NOT_IN_CALLS for token in inside):
        return None
    if any(token.text == "." for token in inside):
        return None
    return render(expression)


def _selected(items: Tokens) -> frozenset[str] | None:
    """What harmless items name behind a dot; None where one of them is more than harmless."""
    found: set[str] = set()
    for item in split(items):
        if not _is_harmless(item):
            return None
        expression, _ = _without_alias(item)
        if len(expression) > 1 and expression[-1].identifier is not None:
            found.add(expression[-1].identifier)
    return frozenset(found)


def _selects_only(items: Tokens, columns: set[str]) -> bool:
    selected = _selected(items)
    return selected is not None and selected <= columns


def _is_not_null(where: Tokens, column: str) -> bool:
    return _texts(where[1:]) == ["is", "not", "null"] and _column(where[:1]) == column


def _texts(tokens: Tokens) -> list[str]:
    return [token.text.lower() for token in tokens]


def _names_in(tokens: Tokens) -> set[str]:
    """Identifiers that could be columns: more than there are, where in doubt."""
    found: set[str] = set()
    for place, token in enumerate(tokens):
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
        preceding = tokens[place - 1].text if place else ""
        is_name = token.identifier is not None and token.word not in _WORDS
        if is_name and following != "(" and preceding not in ("::", "."):
            found.add(token.identifier or "")
    return found


_WORDS = {
    *("and", "or", "not", "in", "is", "null", "true", "false", "between", "like", "ilike"),
    *("case", "when", "then", "else", "end", "any", "all", "array", "distinct", "from"),
    *("interval", "current_timestamp", "current_date", "similar", "to", "escape", "at", "time"),
    *("zone", "isnull", "notnull", "unknown", "symmetric", "as", "cast", "numeric", "integer"),
}
