"""The guard of SQL that authors of rules write themselves.

What PostgreSQL's own parser makes of the text is compared with a list of what may be in it: a new
kind of statement, clause, function or type is refused until someone adds it here. What passes runs
in a read-only transaction, under a time limit, as the role of the target. The list is no substitute
for that role's privileges: it keeps a rule from its neighbours' data and from the server, not a
determined author from what the role may read in the allowed schemas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from quality.custom_sql_names import (
    CLOCKS,
    FUNCTIONS,
    KINDS_OF_A_QUERY,
    KINDS_OF_AN_EXPRESSION,
    SET_RETURNING,
    TYPES,
    WHY_NOT,
)
from quality.names import TableName

CHECKED = "checked"
"""The name by which a query knows the rows that its rule looks at."""
SYSTEM_SCHEMAS = ("pg_catalog", "information_schema", "pg_toast")


class Refused(ValueError):
    """SQL that may not run: a stable code beside the sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Query:
    """What a query reads: tables by name, and whether it reads the rule's own rows."""

    tables: tuple[TableName, ...]
    reads_checked: bool
    columns: int | None
    """How many it returns, None where `*` hides it."""


def is_system_schema(name: str) -> bool:
    """Whether the schema belongs to the database itself."""
    return name in SYSTEM_SCHEMAS or name.startswith(("pg_temp", "pg_toast"))


def read_query(text: str) -> Query:
    """The query, where it is one read-only SELECT of allowed parts; Refused where it is not."""
    statement = _statement_of(text)
    if statement.WhichOneof("node") != "select_stmt":
        raise Refused("sql_not_a_select", "must be one SELECT")
    reading = _Reading(KINDS_OF_A_QUERY, FUNCTIONS | SET_RETURNING)
    reading.look_at(statement, frozenset())
    select = statement.select_stmt
    while select.HasField("larg"):
        select = select.larg
    targets = [target.res_target.val for target in select.target_list]
    columns = len(targets) if targets and not any(map(_is_star, targets)) else None
    return Query(tuple(dict.fromkeys(reading.tables)), reading.reads_checked, columns)


def read_expression(text: str) -> tuple[str, ...]:
    """The columns of an expression over one table, where all its parts are allowed; else Refused.

    It has no query of its own, and can stand in parentheses without meaning anything else.
    """
    # Before anything else, on its own: `a) or (b` makes sense in parentheses only.
    for whole in (f"select {text}", f"select ({text})"):
        statement = _statement_of(whole)
        select = statement.select_stmt
        clauses = {field.name for field, _ in select.ListFields()}
        is_one = clauses <= {"target_list", "limit_option", "op"} and len(select.target_list) == 1
        if not is_one or select.op != 1 or select.target_list[0].res_target.name:
            raise Refused("sql_not_an_expression", "must be one expression over the columns")
    reading = _Reading(KINDS_OF_AN_EXPRESSION, FUNCTIONS)
    reading.look_at(select.target_list[0].res_target.val, frozenset())
    return tuple(dict.fromkeys(reading.columns))


def refuse_other_schemas(query: Query, schemas: Collection[str]) -> None:
    """Raise Refused where the query reads a table of another schema than these."""
    for table in query.tables:
        if table.schema not in schemas:
            raise Refused(
                "sql_schema_forbidden",
                f"must not read {table}: allowed are the schemas {', '.join(sorted(schemas))} "
                "(STRINGX_CUSTOM_SQL_SCHEMAS)",
            )


def _statement_of(text: str) -> Any:
    # Here, because few processes ever need it, and it takes a third of a second.
    import postgast
    from google.protobuf.message import DecodeError

    try:
        _refuse_unclear(text, postgast.scan(text).tokens)
        statements = postgast.parse(text).stmts
    except postgast.PgQueryError as error:
        raise Refused("sql_syntax", f"is no SQL that PostgreSQL can read: {error}") from None
    except DecodeError:
        raise Refused("sql_too_deep", "is nested too deeply; write it flatter") from None
    if len(statements) != 1:
        raise Refused("sql_several_statements", "must be one statement")
    return statements[0].stmt


def _refuse_unclear(text: str, tokens: Any) -> None:
    """Refuse what means something else in another place, or on a server with other settings."""
    if any(mark in text for mark in ("{{", "{%", "{#")):
        raise Refused("sql_template", "must not have a template: nothing renders it")
    written = text.encode()
    names = (
        tokens[0].DESCRIPTOR.fields_by_name["token"].enum_type.values_by_number if tokens else {}
    )
    for token in tokens:
        kind = names[token.token].name if token.token in names else ""
        if kind in ("SQL_COMMENT", "C_COMMENT"):
            raise Refused("sql_comment", "must not have a comment; use the rule's description")
        if kind == "ASCII_59":
            raise Refused("sql_semicolon", "must not have a semicolon")
        source = written[token.start : token.end]
        if kind == "SCONST" and source.startswith(b"'") and b"\\" in source:
            raise Refused(
                "sql_backslash", "has a backslash in a text: write E'…' and double the backslash"
            )


class _Reading:
    """One look at a tree; it collects what is named and raises Refused at what may not be there."""

    def __init__(self, kinds: Collection[str], functions: Collection[str]) -> None:
        self._kinds = kinds
        self._functions = functions
        self.tables: list[TableName] = []
        self.columns: list[str] = []
        self.reads_checked = False

    def look_at(self, node: Any, queries: frozenset[str]) -> None:
        """`queries` are the common table expressions that can be named here."""
        kind = node.DESCRIPTOR.name
        if kind not in self._kinds:
            code, words = WHY_NOT.get(kind, ("sql_not_allowed", f"must not have a {kind}"))
            raise Refused(code, words)
        check = getattr(self, f"_look_at_{kind}", None)
        if check is not None:
            check(node, queries)
        if kind == "SelectStmt" and node.HasField("with_clause"):
            queries = self._queries_of(node.with_clause, queries)
        for below in _below(node, but="with_clause" if kind == "SelectStmt" else ""):
            self.look_at(below, queries)

    def _queries_of(self, clause: Any, queries: frozenset[str]) -> frozenset[str]:
        """Each sees those before it; a name that none has would be a table of the search path."""
        if clause.recursive:
            raise Refused("sql_recursive", "must not have WITH RECURSIVE")
        for node in clause.ctes:
            name = node.common_table_expr.ctename
            if name == CHECKED:
                raise Refused("sql_checked", f"must not define {CHECKED}: it is the rule's rows")
            self.look_at(node, queries)
            queries |= {name}
        return queries

    def _look_at_SelectStmt(self, node: Any, _: frozenset[str]) -> None:
        if node.HasField("into_clause"):
            raise Refused("sql_writes", "must not write: SELECT INTO makes a table")
        if node.locking_clause:
            raise Refused("sql_locks", "must not lock rows (FOR UPDATE, FOR SHARE)")

    def _look_at_RangeVar(self, node: Any, queries: frozenset[str]) -> None:
        if node.catalogname:
            raise Refused("sql_other_database", "must not name a database")
        if not node.schemaname:
            if node.relname == CHECKED:
                self.reads_checked = True
            elif node.relname not in queries:
                raise Refused(
                    "sql_relation_unqualified",
                    f"must name tables as schema.table ({node.relname}); "
                    f"the rule's own rows are {CHECKED}",
                )
            return
        if is_system_schema(node.schemaname):
            raise Refused("sql_system_relation", f"must not read {node.schemaname}")
        self.tables.append(TableName(node.schemaname, node.relname))

    def _look_at_FuncCall(self, node: Any, _: frozenset[str]) -> None:
        *schema, name = _names(node.funcname)
        if schema not in ([], ["pg_catalog"]) or name not in self._functions:
            raise Refused(
                "sql_function_forbidden",
                f"must not call {'.'.join([*schema, name])}: it is not one of the functions that "
                "only compute",
            )
        if node.HasField("over") and "WindowDef" not in self._kinds:
            raise Refused("sql_window", "must not have a window (OVER); use failed_rows_sql")

    def _look_at_TypeName(self, node: Any, _: frozenset[str]) -> None:
        *schema, name = _names(node.names)
        if schema not in ([], ["pg_catalog"]) or name not in TYPES or node.setof or node.pct_type:
            raise Refused("sql_type_forbidden", f"must not cast to {'.'.join([*schema, name])}")

    def _look_at_A_Expr(self, node: Any, _: frozenset[str]) -> None:
        if len(node.name) > 1 and _names(node.name)[0] != "pg_catalog":
            raise Refused("sql_operator_forbidden", "must not name the schema of an operator")

    def _look_at_CollateClause(self, node: Any, _: frozenset[str]) -> None:
        if len(node.collname) > 1 and _names(node.collname)[0] != "pg_catalog":
            raise Refused("sql_collation_forbidden", "must not name the schema of a collation")

    def _look_at_SQLValueFunction(self, node: Any, _: frozenset[str]) -> None:
        if node.op not in CLOCKS:
            raise Refused("sql_function_forbidden", "must not ask who is connected, or where")

    def _look_at_ColumnRef(self, node: Any, _: frozenset[str]) -> None:
        if "SelectStmt" in self._kinds:
            return
        fields = node.fields
        if len(fields) != 1 or fields[0].WhichOneof("node") != "string":
            raise Refused(
                "sql_column_qualified", "must name columns alone, without table, schema or *"
            )
        self.columns.append(fields[0].string.sval)


def _below(node: Any, but: str) -> Iterator[Any]:
    for field, value in node.ListFields():
        if field.type == field.TYPE_MESSAGE and field.name != but:
            # A list has no `DESCRIPTOR`, a message has.
            yield from [value] if hasattr(value, "DESCRIPTOR") else value


def _is_star(target: Any) -> bool:
    fields = target.column_ref.fields
    return bool(fields) and fields[-1].WhichOneof("node") == "a_star"


def _names(nodes: Any) -> list[str]:
    return [node.string.sval for node in nodes]
