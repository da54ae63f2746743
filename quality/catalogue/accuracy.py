"""Accuracy: values fit each other, and what is known of the world."""

from __future__ import annotations

from quality.catalogue.types import OtherColumn, RuleType


class GreaterColumn(OtherColumn):
    or_equal: bool = False


TYPES = (
    RuleType(
        "column_greater_than",
        "accuracy",
        "The column is greater than the other column (or equal, if so told).",
        GreaterColumn,
        {
            "type": "column_greater_than",
            "column": "distance",
            "arguments": {"other_column": "air_time"},
        },
        nulls="A row with NULL in either column does not violate the rule.",
        aliases=("expect_column_pair_values_A_to_be_greater_than_B", "is_older_than_col2"),
    ),
)
