"""Plans: what dbt compiled, what of it was recognised, and how it runs in few scans."""
