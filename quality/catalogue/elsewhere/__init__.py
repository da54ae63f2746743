"""Rule types by the names that they have in other tools."""
