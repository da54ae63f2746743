"""The same tests through plain dbt and through the engine: status and failing count must agree."""
