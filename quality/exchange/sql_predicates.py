"""SQL conditions as typed predicates, as far as they are such, and predicates as SQL.

Read are conditions joined by `and`: a column beside `=`, `!=`, `<>`, `<`, `<=`, `>`, `>=`, `in`,
`between` or `is [not] null`, against literals, or the present time with an interval added or taken
off. An unquoted name is folded to lower case, as PostgreSQL does.
"""

from __future__ import annotations

import re
from typing import Any

from quality.errors import InvalidInput
from quality.moments import relative
from quality.predicates import Predicate

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>[eE]'(?:[^'\\]|''|\\\\)*'|'(?:[^'\\]|'')*')
      | (?P<name>"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<sign><>|!=|<=|>=|[=<>(),+-])
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_INTERVAL = re.compile(r"(\d{1,9})\s*(minute|hour|day|week)s?")
_WORDS = {"and", "or", "not", "in", "between", "is", "null", "like", "ilike", "case", "select"}


def read(sql: str) -> list[dict[str, Any]]:
    """The predicates that all hold where the condition does.

    Raises InvalidInput for a condition that cannot be written as predicates.
    """
    return _Reader(sql).conditions()


def written(predicates: tuple[Predicate, ...]) -> str:
    """Predicates as a SQL condition."""
    return " and ".join(_condition(predicate.document()) for predicate in predicates)


class _Reader:
    def __init__(self, sql: str) -> None:
        self._tokens = _tokens(sql)
        self._at = 0

    def conditions(self) -> list[dict[str, Any]]:
        found = self._conjunction()
        if self._at != len(self._tokens):
            raise _unread(self._tokens[self._at][1])
        return found

    def _conjunction(self) -> list[dict[str, Any]]:
        found = self._condition()
        while self._take_word("and"):
            found += self._condition()
        return found

    def _condition(self) -> list[dict[str, Any]]:
        if self._take("("):
            found = self._conjunction()
            self._expect(")")
            return found
        column = self._column()
        if self._take_word("is"):
            negated = self._take_word("not")
            self._expect_word("null")
            return [{"column": column, "op": "is_not_null" if negated else "is_null"}]
        if self._take_word("between"):
            low = self._value()
            self._expect_word("and")
            return [{"column": column, "op": "between", "value": [low, self._value()]}]
        if self._take_word("in"):
            self._expect("(")
            values = [self._value()]
            while self._take(","):
                values.append(self._value())
            self._expect(")")
            return [{"column": column, "op": "in", "value": values}]
        kind, text = self._next()
        if kind != "sign" or text not in _COMPARISONS:
            raise _unread(text)
        return [{"column": column, "op": _COMPARISONS[text], "value": self._value()}]

    def _column(self) -> str:
        kind, text = self._next()
        if kind != "name" or text.lower() in _WORDS:
            raise _unread(text)
        return column_name(text)

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "text":
            return {"literal": _text_of(text)}
        word = text.lower()
        if word in ("true", "false"):
            return word == "true"
        if word == "now":
            self._expect("(")
            self._expect(")")
        elif word not in ("current_date", "current_timestamp"):
            raise _unread(text)
        return self._moment("today" if word == "current_date" else "now")

    def _moment(self, base: str) -> str:
        """The present, and what is added or taken off."""
        if self._at == len(self._tokens):
            return base
        kind, text = self._tokens[self._at]
        if kind == "number" and text.startswith("-") and base == "today":  # current_date -7
            self._at += 1
            return f"{base}-{text[1:]}d"
        if text not in ("+", "-"):
            return base
        self._at += 1
        kind, amount = self._next()
        if kind == "number" and base == "today" and amount.isdigit():
            return f"{base}{text}{amount}d"
        if kind != "name" or amount.lower() != "interval":
            raise _unread(amount)
        kind, length = self._next()
        match = _INTERVAL.fullmatch(length[1:-1].strip().lower()) if kind == "text" else None
        if match is None:
            raise _unread(length)
        if base == "today" and match[2] not in ("day", "week"):
            raise _unread(length)
        return f"{base}{text}{match[1]}{match[2][0]}"

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise InvalidInput("the condition ends too early", code="condition_unread")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _take_word(self, word: str) -> bool:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind == "name" and text.lower() == word:
                self._at += 1
                return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _unread(self._next()[1])

    def _expect_word(self, word: str) -> None:
        if not self._take_word(word):
            raise _unread(self._next()[1])


def _text_of(sql: str) -> str:
    """What a text in quotes says; in the form E'' only a backslash is escaped (see `_TOKEN`)."""
    if sql[0] in "eE":
        return sql[2:-1].replace("''", "'").replace("\\\\", "\\")
    return sql[1:-1].replace("''", "'")


def column_name(text: str) -> str:
    """The name that an identifier in SQL stands for."""
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        return text[1:-1].replace('""', '"')
    return text.lower()


def literal(value: Any) -> str:
    """A value as a SQL literal: numbers and booleans bare, text quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value).replace("'", "''")
    return "E'" + text.replace("\\", "\\\\") + "'" if "\\" in text else f"'{text}'"


def identifier(name: str) -> str:
    """A name as it stands in SQL, exactly as the catalogue spells it."""
    return '"' + name.replace('"', '""') + '"'


def _condition(predicate: dict[str, Any]) -> str:
    column, op = identifier(predicate["column"]), predicate["op"]
    value: Any = predicate.get("value")
    if op in ("is_null", "is_not_null"):
        return f"{column} {op.replace('_', ' ')}"
    if op == "in":
        return f"{column} in ({', '.join(_operand(item) for item in value)})"
    if op == "between":
        return f"{column} between {_operand(value[0])} and {_operand(value[1])}"
    return f"{column} {op} {_operand(value)}"


def _operand(value: Any) -> str:
    if isinstance(value, dict):
        [(kind, text)] = value.items()
        words = {"timestamp": "timestamptz ", "date": "date "}
        return words.get(kind, "") + literal(text)
    moment = relative(value) if isinstance(value, str) else None
    return literal(value) if moment is None else moment.sql


def _tokens(sql: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    sql = sql.rstrip()
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None or match.lastgroup is None:
            raise _unread(sql[position:].strip())
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _unread(text: str) -> InvalidInput:
    return InvalidInput(
        f'cannot be written as predicates (at "{text[:40]}")', code="condition_unread"
    )
