"""StringX's own database: one module per thing kept there. Knows SQLAlchemy, not Flask."""
