"""The databases and roles of the embedded PostgreSQL, and what each role may do."""

from collections.abc import Mapping

import psycopg
from psycopg import sql

SUPERUSER = "postgres"
SERVICE = "stringx"
READER = "stringx_reader"
SERVICE_DATABASE = "stringx"
TARGET_DATABASE = "demo"
TARGET_SCHEMA = "flights"

# A check must never hold up the database that it checks. Only the superuser may set
# temp_file_limit; the others a session could lift, so the grants below are the real boundary.
_READER_LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "120s",
    "temp_file_limit": "512MB",
    "client_connection_check_interval": "2s",
}


def prepare(superuser_url: str, passwords: Mapping[str, str], reader_connections: int) -> None:
    """Create what is missing and set the grants; may be repeated.

    `passwords` by role; `reader_connections` is the most that the reader may hold at once.
    Raises psycopg.Error.
    """
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        roles = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for role in (SERVICE, READER):
            statement = "alter role {} {}" if role in roles else "create role {} {}"
            connection.execute(
                sql.SQL(statement).format(
                    sql.Identifier(role),
                    sql.SQL(
                        "with login nosuperuser nocreatedb nocreaterole noinherit "
                        "noreplication nobypassrls connection limit {} password {}"
                    ).format(
                        sql.Literal(reader_connections if role == READER else -1),
                        sql.Literal(passwords[role]),
                    ),
                )
            )
        for name, value in _READER_LIMITS.items():
            connection.execute(
                sql.SQL("alter role {} set {} = {}").format(
                    sql.Identifier(READER), sql.Identifier(name), sql.Literal(value)
                )
            )
        databases = {name for (name,) in connection.execute("select datname from pg_database")}
        for database in (SERVICE_DATABASE, TARGET_DATABASE):
            if database not in databases:
                connection.execute(
                    sql.SQL("create database {} owner {}").format(
                        sql.Identifier(database), sql.Identifier(SERVICE)
                    )
                )
        for database in (SERVICE_DATABASE, TARGET_DATABASE, SUPERUSER, "template1"):
            connection.execute(
                sql.SQL("revoke all on database {} from public").format(sql.Identifier(database))
            )
        connection.execute(
            sql.SQL("grant connect on database {} to {}").format(
                sql.Identifier(TARGET_DATABASE), sql.Identifier(READER)
            )
        )


def grant_reading(connection: psycopg.Connection) -> None:
    """Let the reader read every table of ours in the target's schema, now and in future.

    To be called as the owner, connected to the target database. Tables of other roles are theirs
    to grant.
    """
    schema, reader = sql.Identifier(TARGET_SCHEMA), sql.Identifier(READER)
    for statement in (
        "grant usage on schema {} to {}",
        "alter default privileges in schema {} grant select on tables to {}",
    ):
        connection.execute(sql.SQL(statement).format(schema, reader))
    ours = connection.execute(
        "select tablename from pg_tables where schemaname = %s and tableowner = current_user",
        (TARGET_SCHEMA,),
    ).fetchall()
    for (table,) in ours:
        connection.execute(
            sql.SQL("grant select on {} to {}").format(sql.Identifier(TARGET_SCHEMA, table), reader)
        )
