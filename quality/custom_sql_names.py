"""What may stand in SQL that authors of rules write: kinds of nodes, functions and types."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KINDS_OF_AN_EXPRESSION = _words(
    """
    A_ArrayExpr A_Const A_Expr A_Indices A_Indirection BitString BoolExpr Boolean BooleanTest
    CaseExpr CaseWhen CoalesceExpr CollateClause ColumnRef Float FuncCall Integer List
    MinMaxExpr Node NullTest RowExpr SQLValueFunction SortBy String TypeCast TypeName
    """
)
KINDS_OF_A_QUERY = KINDS_OF_AN_EXPRESSION | _words(
    """
    A_Star Alias CommonTableExpr GroupingFunc GroupingSet JoinExpr RangeFunction RangeSubselect
    RangeVar ResTarget SelectStmt SubLink WindowDef
    """
)
"""Messages of PostgreSQL's parse tree."""

_WRITES = ("sql_writes", "must only read")
WHY_NOT: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"), _WRITES),
    "SubLink": ("sql_subquery", "must not have a query of its own; use failed_rows_sql"),
    "A_Star": ("sql_column_qualified", "must name columns alone, without table, schema or *"),
    "WindowDef": ("sql_window", "must not have a window (OVER); use failed_rows_sql"),
    "ParamRef": ("sql_parameter", "must not have a parameter such as $1"),
    "LockingClause": ("sql_locks", "must not lock rows (FOR UPDATE, FOR SHARE)"),
    "IntoClause": ("sql_writes", "must not write: SELECT INTO makes a table"),
}

FUNCTIONS = _words(
    """
    abs acos acosd age array_agg array_length array_lower array_position array_positions
    array_remove array_replace array_to_string array_upper ascii asin asind atan atan2 atand avg
    bit_and bit_length bit_or bit_xor bool_and bool_or bpcharcmp btrim cardinality cbrt ceil
    ceiling char_length character_length chr coalesce concat concat_ws corr cos cosd cosh cot
    count covar_pop covar_samp cume_dist date date_bin date_part date_trunc degrees dense_rank
    div erf erfc every exp extract factorial first_value floor gcd greatest grouping host
    hostmask initcap is_normalized isempty isfinite json_array_length json_extract_path
    json_extract_path_text json_typeof jsonb_array_length jsonb_exists jsonb_extract_path
    jsonb_extract_path_text jsonb_typeof justify_days justify_hours justify_interval lag
    last_value lcm lead least left length like_escape ln log log10 lower lower_inc lower_inf
    ltrim make_date make_interval make_time make_timestamp make_timestamptz masklen max md5 min
    min_scale mod mode network normalize now nth_value ntile nullif num_nonnulls num_nulls
    numeric numnode octet_length overlaps overlay percent_rank percentile_cont percentile_disc
    pi position pow power quote_literal quote_nullable radians rank regexp_count regexp_instr
    regexp_like regexp_match regexp_replace regexp_substr regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy replace reverse right round
    row_number rtrim scale sha224 sha256 sha384 sha512 sign similar_to_escape sin sind sinh
    split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg
    strpos substr substring sum tan tand tanh timezone to_char to_date to_hex to_number
    to_timestamp transaction_timestamp translate trim_array trim_scale trunc unaccent upper
    upper_inc upper_inf var_pop var_samp variance width_bucket
    """
)
"""Functions that compute from what they are given. Left out beside those that read, wait, write or
reveal: what makes much from little (`repeat`, `lpad`), and what each call answers differently."""

SET_RETURNING = _words(
    """
    generate_series json_array_elements json_array_elements_text json_each json_each_text
    json_object_keys jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text
    jsonb_object_keys regexp_matches regexp_split_to_array regexp_split_to_table string_to_array
    string_to_table unnest
    """
)
"""More functions for a query, which may have more rows than its tables."""

TYPES = _words(
    """
    bit bool boolean bpchar bytea char cidr date daterange decimal float4 float8 inet int2 int4
    int4range int8 int8range integer interval json jsonb jsonpath macaddr money name numeric
    numrange text time timestamp timestamptz timetz tsrange tstzrange uuid varbit varchar
    """
)
"""Types to cast to; the `reg…` types look names up."""

CLOCKS = frozenset(range(1, 10))
"""`current_date` to `localtimestamp(n)` among PostgreSQL's `SQLValueFunctionOp`."""
