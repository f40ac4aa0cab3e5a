"""Who reads which rows of the published tables in PostgreSQL, kept apart by the database itself.

A manager's role sees the rows that `row_rules` opens to it, whatever its SQL: policies ask for the name that the
session has signed in with, which no statement can change. A role without rules sees no rows.
`dashboards.access.database_roles` makes the roles and writes their rules.
"""

from __future__ import annotations

from typing import Any

from notify.episodes import COVERED, NO_SINGLE_STORE
from publish.publication import TABLES_WITHOUT_STORE, PublicationRefusedError, PublishedTable
from serving_database import SERVING, ServingDatabase, quoted

FORMAT = "format 2"  # of the schema that the publication keeps for itself
OLDEST_SERVER = 15  # before it, a view could not be read with the rights of its reader

OWN_RULES = f"SELECT {{}} FROM {SERVING}.row_rules WHERE role_name = session_user"
OWN_STORES = f"store_location = ANY (ARRAY({OWN_RULES.format('store_location')}))"
OWN_REGION = f"region = ANY (ARRAY({OWN_RULES.format('region')}))"
OWN_REGIONS = f"store_location = '{NO_SINGLE_STORE}' AND {OWN_REGION}"
# who sees the notification of a region does not see the same of its stores
NOT_COVERED_BY_OWN_REGION = f"({COVERED} = 0 OR ({OWN_REGION}) IS NOT TRUE)"
ANY_RULE = f"EXISTS ({OWN_RULES.format('1')})"


def set_up(cursor: Any, database: ServingDatabase, schemas: list[str]) -> None:
    """Make the schemas and the groups that are not there yet. Raises PublicationRefusedError."""
    version = cursor.connection.server_version // 10_000
    if version < OLDEST_SERVER:
        raise PublicationRefusedError(f"{database.place} is PostgreSQL {version}. Use {OLDEST_SERVER} or newer.")
    cursor.execute("select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", (SERVING,))
    found = cursor.fetchone()
    if found and found[0] != FORMAT:
        raise PublicationRefusedError(
            f"the schema {SERVING} of {database.place} is of another version of this project ({found[0]}; "
            f"this one writes {FORMAT}). Use that version, or drop {', '.join([SERVING, *schemas])} and export again."
        )
    for group in (database.analysts, database.managers, database.company):
        cursor.execute("select 1 from pg_roles where rolname = %s", (group,))
        if not cursor.fetchone():
            cursor.execute(f"create role {quoted(group, cursor)}")
    readers = ", ".join(quoted(group, cursor) for group in (database.analysts, database.managers))
    if not found:
        _create_own_schema(cursor, readers)
    for schema in schemas:
        cursor.execute(f"create schema if not exists {schema}")
        cursor.execute(f"grant usage on schema {schema} to {readers}")
        cursor.execute(FUNCTIONS_OF_TIME.format(schema=schema))


def _create_own_schema(cursor: Any, readers: str) -> None:
    cursor.execute(f"""
        create schema {SERVING};
        comment on schema {SERVING} is '{FORMAT}';
        create table {SERVING}.published_tables (
            schema_name text not null,
            table_name text not null,
            layout text not null,
            stored_in oid not null,
            published_at timestamptz not null,
            primary key (schema_name, table_name)
        );
        create table {SERVING}.published_parts (
            schema_name text not null,
            table_name text not null,
            part bigint not null,
            row_count bigint not null,
            digest bigint not null,
            primary key (schema_name, table_name, part),
            foreign key (schema_name, table_name) references {SERVING}.published_tables on delete cascade
        );
        create table {SERVING}.row_rules (
            role_name name not null,
            store_location text collate "C",
            region text collate "C"
        );
        alter table {SERVING}.row_rules enable row level security;
        create policy own_rules on {SERVING}.row_rules for select using (role_name = session_user);
        grant usage on schema {SERVING} to {readers};
        grant select on {SERVING}.published_tables, {SERVING}.row_rules to {readers};
    """)


# Published times are text, as in SQLite, and charts ask for them by functions that PostgreSQL has for other types only.
# Weeks begin on Sunday, as they do where Superset reads SQLite.
FUNCTIONS_OF_TIME = """
    create or replace function {schema}.date_trunc(unit text, written text) returns timestamp
    language sql stable parallel safe
    return case
        when lower(unit) = 'week'
            then pg_catalog.date_trunc('week', cast(written as timestamp) + interval '1 day') - interval '1 day'
        else pg_catalog.date_trunc(unit, cast(written as timestamp))
    end;
    create or replace function {schema}.date(written text, change text) returns text
    language sql stable parallel safe
    return to_char(cast(written as date) + cast(change as interval), 'YYYY-MM-DD')
"""


def protection(cursor: Any, database: ServingDatabase, relation: str, table: PublishedTable) -> str:
    """The statements that let each group read its rows of a table, and nobody any others, its owner included; of a
    view, those that let the groups read it."""
    groups = [database.analysts, database.managers] if _own_rows(table) else [database.analysts]
    grant = f"grant select on {relation} to {', '.join(quoted(group, cursor) for group in groups)};"
    if table.view_of is not None:
        return grant
    analysts, company, managers = (
        quoted(group, cursor) for group in (database.analysts, database.company, database.managers)
    )
    not_covered = f"{COVERED} = 0" if COVERED in table.columns else "true"
    statements = f"""
        alter table {relation} enable row level security, force row level security;
        create policy publisher on {relation} using (true) with check (true);
        alter policy publisher on {relation} to current_user;
        create policy every_row on {relation} for select to {analysts} using (true);
        create policy rows_of_the_company on {relation} for select to {company} using ({not_covered});
    """
    condition = _own_rows(table)
    if condition:
        statements += f"create policy own_rows on {relation} for select to {managers} using ({condition});"
    return statements + grant


def _own_rows(table: PublishedTable) -> str | None:
    """The rows of a table that a manager may see; None for a table that is only for analysts."""
    if "store_location" in table.columns:
        if "region" not in table.columns:
            return OWN_STORES
        own = f"({OWN_STORES} OR ({OWN_REGIONS}))"
        return f"{own} AND {NOT_COVERED_BY_OWN_REGION}" if COVERED in table.columns else own
    return ANY_RULE if table.name in TABLES_WITHOUT_STORE else None
