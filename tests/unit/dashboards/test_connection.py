"""The connection to a published file: whatever the SQL, it shows the rows of its user's stores and nothing else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.access import connection as access
from dashboards.access.stores import NO_STORE, Stores, stores_of, text_literal
from tests.conftest import ROOT

# nobody may read these through the connection of Store_A
SECRETS = ("Store_B", "b-only", "late-secret", "unlisted-secret", "company-secret", "published.db", "CREATE ")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published file: two stores, rows of the whole company, a view, a table without a store."""
    path = tmp_path_factory.mktemp("published") / "published.db"
    with closing(sqlite3.connect(path)) as file:
        file.executescript("""
            create table metrics (store_location text, note text, quantity integer);
            insert into metrics values
                ('Store_A', 'a-only', 1), ('Store_B', 'b-only', 2), ('N/A', 'company-secret', 3),
                ('O''Hara: 5 %', 'quoted', 4), (null, 'company-secret', 5), ('store_a', 'b-only', 6);
            create table numerical_quantity (store_location text, note text);
            insert into numerical_quantity values ('Store_A', 'a-only'), ('Store_B', 'b-only');
            CREATE VIEW numerical_anomalies AS SELECT * FROM numerical_quantity;
            create table episodes (store_location text, region text, is_covered_by_region integer, note text);
            insert into episodes values
                ('Store_A', 'N/A', 0, 'a-only'), ('N/A', 'North', 0, 'north-only'),
                ('Store_A', 'North', 1, 'a-only, as in the north'), ('Store_B', 'North', 1, 'b-only'),
                ('N/A', 'South', 0, 'company-secret'), ('N/A', 'N/A', 0, 'company-secret');
            create table stores (store_location text, region text);
            insert into stores values ('Store_A', 'North'), ('Store_B', 'North');
            create table pipeline_status (landed_count integer);
            insert into pipeline_status values (7);
            create table unlisted (note text);
            insert into unlisted values ('unlisted-secret');
        """)
    return path


Opened = Callable[[Stores | None], sqlite3.Connection]


@pytest.fixture
def opened(published: Path) -> Opened:
    return lambda stores: sqlite3.connect(
        f"file:{published}?mode=ro", uri=True, factory=access.opener(stores), isolation_level=None
    )


STORE_A = Stores(frozenset({"Store_A"}))

# each is tried as it stands, as a derived table, as a scalar subquery and within every set operation
READS = [
    "SELECT note FROM main.metrics",
    "SELECT note FROM MAIN.[Metrics]",
    "SELECT note FROM 'main'.\"metrics\"",
    "SELECT count(*) || 'b-only' FROM main.metrics",
    "SELECT 'b-only' FROM main.metrics",
    "SELECT main.metrics.note FROM main.metrics",
    "SELECT rowid || ' b-only' FROM main.metrics",
    "SELECT * FROM (SELECT note FROM main.metrics)",
    "SELECT m.note FROM metrics AS m JOIN main.metrics AS n ON 1 = 1 WHERE 'b-only' <> n.note OR 'b-only'",
    "SELECT n.note FROM metrics AS m, main.metrics AS n",
    "SELECT CASE WHEN 'b-only' IN (SELECT note FROM main.metrics) THEN 'b-only' END",
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM main.metrics WHERE store_location > 'Store_A') THEN 'b-only' END",
    "SELECT CASE WHEN ('Store_B', 'b-only', 2) IN main.metrics THEN 'b-only' END",
    "SELECT max(note) OVER (ORDER BY note DESC) FROM main.metrics",
    "SELECT note FROM main.numerical_anomalies",
    "SELECT 'b-only' FROM main.numerical_anomalies",
    "SELECT count(*) || 'b-only' FROM main.numerical_anomalies",
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM main.numerical_anomalies LIMIT 1 OFFSET 1) THEN 'b-only' END",
    "SELECT note FROM main.numerical_quantity",
    "SELECT 'unlisted-secret' FROM unlisted",
    "SELECT note FROM unlisted",
    "SELECT note FROM main.unlisted",
    "SELECT sql FROM sqlite_master",
    "SELECT sql FROM main.sqlite_schema",
    "SELECT sql FROM sqlite_temp_master",
    "SELECT sql FROM temp.sqlite_temp_schema",
    "SELECT 'CREATE ' FROM sqlite_master",
    "SELECT file FROM pragma_database_list",
    "SELECT 'published.db' FROM pragma_database_list",
    "SELECT 'b-only' FROM pragma_table_info('metrics')",
    "SELECT 'b-only' FROM dbstat",
    "SELECT name || 'b-only' FROM dbstat",
    "SELECT 'b-only' FROM json_each('[1]')",
    "SELECT 'b-only' FROM generate_series(1, 2)",
    "SELECT 'b-only' FROM fts3tokenize",
    "SELECT 'b-only' FROM sqlite_stmt",
    "SELECT 'b-only' FROM bytecode('select 1')",
]
NAMED_READS = [
    "WITH metrics AS (SELECT * FROM main.metrics) SELECT note FROM metrics",
    "WITH {key} AS (SELECT * FROM main.metrics) SELECT note FROM {key}",
    "WITH RECURSIVE metrics(n) AS (SELECT note FROM main.metrics UNION SELECT n FROM metrics) SELECT * FROM metrics",
    "WITH numerical_anomalies AS (SELECT * FROM main.numerical_quantity) SELECT note FROM numerical_anomalies",
]
SHAPES = [
    "{read}",
    "SELECT * FROM ({read})",
    "SELECT ({read})",
    "SELECT note FROM metrics UNION ALL {read}",
    "SELECT note FROM metrics UNION {read}",
    "{read} EXCEPT SELECT 'x'",
    "SELECT note FROM metrics WHERE 0 UNION ALL SELECT 'x' UNION {read} UNION ALL SELECT 'y'",
    "SELECT 'b-only' INTERSECT {read}",
    "SELECT note FROM metrics ORDER BY ({read})",
    "SELECT CASE WHEN length(({read})) THEN 'b-only' END",
    "EXPLAIN {read}",
]
DESCRIPTIONS = ["PRAGMA database_list", "PRAGMA table_info(metrics)", "PRAGMA temp.table_info(metrics)"]
STATEMENTS = [
    "PRAGMA read_uncommitted = 1",
    "PRAGMA writable_schema = 1",
    "ATTACH '{path}' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "VACUUM INTO '{path}.copy'",
    "VACUUM",
    "INSERT INTO metrics VALUES ('x', 'x', 1)",
    "UPDATE main.metrics SET note = 'x'",
    "DELETE FROM main.metrics",
    "DROP VIEW temp.metrics",
    "DROP TABLE main.metrics",
    "CREATE TABLE main.t (x)",
    "CREATE TEMP TABLE t AS SELECT * FROM main.metrics",
    "CREATE TEMP VIEW t AS SELECT * FROM main.metrics",
    "CREATE VIRTUAL TABLE temp.t USING fts3(x)",
    "CREATE VIRTUAL TABLE temp.t USING dbstat(main)",
    "CREATE TEMP TRIGGER t INSTEAD OF DELETE ON metrics BEGIN SELECT 1; END",
    "ANALYZE",
    "SAVEPOINT s",
]
FUNCTIONS = [
    "randomblob(10)",
    "zeroblob(10)",
    "load_extension('x')",
    "readfile('/etc/passwd')",
    "writefile('/tmp/x', 'x')",
    "edit('x')",
    "fts3_tokenizer('simple')",
    "fts3_tokenizer('simple', X'00')",
    "sqlite_compileoption_get(1)",
    "sqlite_source_id()",
    "'a' REGEXP '(a+)+$'",
    "'a' MATCH 'a'",
    "json('[]')",
    "soundex('a')",
]


def answers(connection: sqlite3.Connection, statement: str) -> str:
    """Everything that a statement says, be it rows or a message."""
    try:
        return repr(connection.execute(statement).fetchall())
    except (sqlite3.Error, sqlite3.Warning) as error:
        return repr(error)


def leaks(connect: Callable[[], sqlite3.Connection], statement: str) -> bool:
    with closing(connect()) as connection:
        answer = answers(connection, statement)
    return not answer.startswith(("DatabaseError", "OperationalError", "Warning")) and any(
        secret in answer for secret in SECRETS
    )


HOSTILE = [shape.format(read=read) for read in READS for shape in SHAPES] + [
    shape.format(read=f"SELECT * FROM ({read})") for read in NAMED_READS for shape in SHAPES
]
HOSTILE += ["SELECT note FROM metrics", "SELECT note FROM metrics WHERE 1 OR 1 UNION SELECT note FROM metrics"]


def test_no_statement_reads_what_is_not_the_users(opened):
    leaking = [statement for statement in HOSTILE if leaks(lambda: opened(STORE_A), statement)]
    assert leaking == []


def test_errors_hold_nothing_of_others_and_no_path(opened):
    with closing(opened(STORE_A)) as connection:
        answer = " ".join(
            answers(connection, statement.format(path="/nowhere")) for statement in [*DESCRIPTIONS, *STATEMENTS]
        )
    assert not [secret for secret in SECRETS[:-1] if secret in answer]
    assert str(ROOT) not in answer


@pytest.mark.parametrize("stores", [STORE_A, NO_STORE, Stores(every=True), None], ids=str)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_but_queries_is_taken(opened, published, stores, statement):
    with closing(opened(stores)) as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement.format(path=published)).fetchall()
    assert not published.with_suffix(".db.copy").exists()


@pytest.mark.parametrize("stores", [STORE_A, NO_STORE, Stores(every=True)], ids=str)
@pytest.mark.parametrize("statement", DESCRIPTIONS)
def test_only_an_administrator_has_the_file_described(opened, stores, statement):
    with closing(opened(stores)) as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement).fetchall()


@pytest.mark.parametrize("stores", [STORE_A, None], ids=["manager", "administrator"])
@pytest.mark.parametrize("call", FUNCTIONS)
def test_only_listed_functions_run(opened, stores, call):
    with closing(opened(stores)) as connection:
        connection.create_function("regexp", 2, lambda pattern, value: 1)  # as SQLAlchemy does
        with pytest.raises(sqlite3.Error, match=r"not authorized|no such function|wrong number"):
            connection.execute(f"SELECT {call}").fetchall()


@pytest.mark.parametrize(
    "module", ["dbstat", "json_each('[1]')", "pragma_database_list", "fts3tokenize('simple', 'a')", "fts3tokenize"]
)
def test_an_administrator_has_no_modules_either(opened, module):
    with closing(opened(None)) as connection, pytest.raises(sqlite3.Error):
        connection.execute(f"SELECT * FROM {module}").fetchall()


def test_an_administrator_reads_and_describes_the_whole_file(opened):
    with closing(opened(None)) as connection:
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (6,)
        assert connection.execute("SELECT note FROM main.unlisted").fetchall() == [("unlisted-secret",)]
        assert connection.execute("PRAGMA table_info(metrics)").fetchall()
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (7,)


@pytest.mark.parametrize(
    ("stores", "notes"),
    [
        (STORE_A, ["a-only"]),
        (Stores(frozenset({"Store_A", "Store_B"})), ["a-only", "b-only"]),
        (Stores(frozenset({"O'Hara: 5 %"})), ["quoted"]),
        (Stores(frozenset({"') OR 1 = 1 --"})), []),
        (NO_STORE, []),
        (Stores(every=True), ["a-only", "b-only", "b-only", "company-secret", "company-secret", "quoted"]),
    ],
)
def test_a_user_sees_the_rows_of_the_own_stores(opened, stores, notes):
    with closing(opened(stores)) as connection:
        assert [row[0] for row in connection.execute("SELECT note FROM metrics ORDER BY note")] == notes
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (len(notes),)


@pytest.mark.parametrize(
    ("stores", "notes"),
    [
        (STORE_A, ["a-only", "a-only, as in the north"]),
        (Stores(frozenset({"Store_A"}), regions=frozenset({"North"})), ["a-only", "north-only"]),
        # who has another region, too, is told of the north by the own store alone
        (Stores(frozenset({"Store_A"}), regions=frozenset({"West"})), ["a-only", "a-only, as in the north"]),
        (Stores(regions=frozenset({"N/A'"})), []),
        (Stores(every=True), ["a-only", "company-secret", "company-secret", "north-only"]),
    ],
)
def test_what_is_about_several_stores_is_for_the_managers_of_their_region(opened, stores, notes):
    with closing(opened(stores)) as connection:
        assert len(connection.execute("SELECT * FROM stores").fetchall()) == (2 if stores.every else len(stores.names))
        assert [row[0] for row in connection.execute("SELECT note FROM episodes ORDER BY note")] == notes
        # a table without regions has nothing of a region
        assert connection.execute("SELECT count(*) FROM metrics WHERE store_location = 'N/A'").fetchone() == (
            1 if stores.every else 0,
        )


def test_a_published_view_shows_the_users_rows(opened):
    with closing(opened(STORE_A)) as connection:
        assert connection.execute("SELECT * FROM numerical_anomalies").fetchall() == [("Store_A", "a-only")]


def test_facts_about_the_intake_are_for_whoever_sees_a_store(opened):
    for stores in (STORE_A, Stores(every=True)):
        with closing(opened(stores)) as connection:
            assert connection.execute("SELECT landed_count FROM pipeline_status").fetchall() == [(7,)]
            assert connection.execute("SELECT count(*) FROM pipeline_status").fetchall() == [(1,)]
    with closing(opened(NO_STORE)) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("SELECT count(*) FROM pipeline_status")


QUERIES = [
    "SELECT 1 FROM metrics",
    "SELECT count(*) FROM (SELECT note FROM metrics LIMIT 5)",
    "SELECT note, sum(quantity) FROM metrics GROUP BY note HAVING sum(quantity) > 0 ORDER BY 2 DESC LIMIT 10",
    "SELECT m.note FROM metrics AS m JOIN (SELECT note FROM metrics GROUP BY note LIMIT 5) AS n ON m.note = n.note",
    "SELECT note, rank() OVER (PARTITION BY store_location ORDER BY quantity) FROM METRICS WHERE note LIKE 'a%'",
    "SELECT DATETIME('2026-01-05', 'start of day', -strftime('%w', '2026-01-05') || ' days') FROM \"metrics\"",
    "SELECT printf('-%d minutes', CAST(strftime('%M', CURRENT_TIMESTAMP) AS INT) % 5) FROM metrics",
    "SELECT note FROM metrics WHERE EXISTS (SELECT 1 FROM pipeline_status)",
    "SELECT DISTINCT store_location FROM metrics WHERE note IS NOT NULL UNION ALL SELECT 'Store_A'",
]


@pytest.mark.parametrize("query", QUERIES)
def test_what_charts_ask_is_answered(opened, query):
    with closing(opened(STORE_A)) as connection:
        assert connection.execute(query).fetchall()


@given(
    parts=st.lists(st.sampled_from([*READS, *QUERIES, "SELECT note FROM metrics"]), min_size=1, max_size=4),
    operations=st.lists(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]), min_size=3, max_size=3),
    shape=st.sampled_from(SHAPES),
)
def test_no_combination_reads_what_is_not_the_users(published, parts, operations, shape):
    compound = parts[0]
    for operation, part in zip(operations, parts[1:], strict=False):
        compound = f"SELECT * FROM ({compound}) {operation} SELECT * FROM ({part})"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{published}?mode=ro", uri=True, factory=access.opener(STORE_A))

    assert not leaks(connect, shape.format(read=f"SELECT * FROM ({compound})"))


def test_the_name_that_opens_tables_is_of_no_use_to_a_later_connection(opened):
    with closing(opened(STORE_A)) as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT count(*) OVER () FROM (SELECT * FROM metrics LIMIT 1)")
        words = {word for row in plan.fetchall() for word in str(row[3]).split()} | {"metrics"}
    for word in words:
        with closing(opened(STORE_A)) as connection:
            forged = f'WITH "{word}" AS (SELECT * FROM main.metrics) SELECT * FROM "{word}"'
            assert not leaks(lambda connection=connection: connection, forged)


# ------------------------------------------------------------------ the tests see each fault


def _without_authorizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_authorizer", lambda views, key: lambda *_: sqlite3.SQLITE_OK)


def _without_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stores, "condition", lambda self, *columns: "1 = 1")


def _with_a_name_that_can_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access.secrets, "token_hex", lambda size: "metrics_")
    monkeypatch.setattr(sys.modules[__name__], "HOSTILE", [NAMED_READS[1].format(key="metrics_")])


def _trusting_what_has_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    original = access._authorizer

    def trusting(views: set[str], key: str) -> Any:
        authorize = original(views, key)
        return lambda action, first, second, schema, reader: (
            sqlite3.SQLITE_OK
            if action == sqlite3.SQLITE_READ and schema is None
            else authorize(action, first, second, schema, reader)
        )

    monkeypatch.setattr(access, "_authorizer", trusting)


@pytest.mark.parametrize(
    "mutate",
    [_without_authorizer, _without_conditions, _with_a_name_that_can_be_guessed, _trusting_what_has_no_schema],
)
def test_these_tests_fail_for_a_connection_that_leaks(opened, monkeypatch, mutate):
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        test_no_statement_reads_what_is_not_the_users(opened)


# ------------------------------------------------------------------ limits


@pytest.mark.parametrize("stores", [STORE_A, None], ids=["manager", "administrator"])
def test_a_long_query_ends_with_a_message_and_the_connection_goes_on(opened, monkeypatch, stores):
    monkeypatch.setattr(access, "SECONDS_PER_QUERY", 0.2)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with closing(opened(stores)) as connection:
        with pytest.raises(sqlite3.OperationalError, match=r"longer than 0 seconds\. Ask for fewer"):
            connection.execute(endless).fetchall()
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_query_that_is_long_only_in_its_rows_ends_as_well(opened, monkeypatch):
    monkeypatch.setattr(access, "ROWS_PER_QUERY", 100)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    with closing(opened(STORE_A)) as connection, pytest.raises(sqlite3.OperationalError, match="more than 100 rows"):
        connection.execute(endless).fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT replace(printf('%*d', 190000, 1), ' ', '          ')",
        "SELECT group_concat(printf('%*d', 190000, a.quantity)) FROM metrics AS a, metrics AS b, metrics AS c",
        "SELECT printf('%.*c', 999999999, 'x')",
        "SELECT format('%-!999999999c', 'x')",
        f"SELECT 'a' LIKE '{'%a' * 1000}'",
        " UNION ALL ".join(["SELECT 1"] * 21),
        f"SELECT '{'x' * 500_000}'",
    ],
    ids=["replace", "group_concat", "printf", "format", "pattern", "compound", "text"],
)
def test_large_values_and_texts_are_refused(opened, query):
    everything = Stores(every=True)
    with closing(opened(everything)) as connection, pytest.raises((sqlite3.Error, sqlite3.DataError)):
        connection.execute(query).fetchall()


def test_a_query_that_multiplies_while_it_is_prepared_ends_with_a_message(published):
    """In a process of its own, since the limit on memory holds for the whole process."""
    probe = """
import sqlite3, sys
from dashboards.access import connection as access
access.HEAP_BYTES = 50_000_000
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, factory=access.opener(None))
steps = ["t0 AS (SELECT 1 AS v)"]
steps += [f"t{i} AS (SELECT 1 AS v FROM t{i - 1} AS a, t{i - 1} AS b)" for i in range(1, 30)]
try:
    connection.execute(f"WITH {', '.join(steps)} SELECT count(*) FROM t29")
except sqlite3.OperationalError as error:
    print(error)
print(connection.execute("SELECT 'goes on'").fetchone()[0])
"""
    with_limit = subprocess.run(
        [sys.executable, "-c", probe, str(published)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert with_limit.stdout.splitlines() == [
        "The query needs too much memory. Ask for fewer columns.",
        "goes on",
    ]


# ------------------------------------------------------------------ from roles to stores


def test_roles_open_stores_together():
    assert stores_of([]) == NO_STORE
    assert stores_of(["Manager", "Public", "Gamma", "Alpha"]) == NO_STORE
    assert stores_of(["Manager", "Store: Store_A", "Store: B: C"]) == Stores(frozenset({"Store_A", "B: C"}))
    assert stores_of(["Store: a", "Region: North"]) == Stores(frozenset("a"), regions=frozenset({"North"}))
    assert stores_of(["All stores", "Store: Store_A"]).every
    assert stores_of(["Admin"]).every


def test_stores_cover_fewer_stores_and_none_but_all_cover_every_one():
    one, two, every = Stores(frozenset("a")), Stores(frozenset("ab")), Stores(every=True)
    in_order = [NO_STORE, one, two, every]
    for place, stores in enumerate(in_order):
        assert [stores.cover(others) for others in in_order] == [other <= place for other in range(4)]
    assert not two.cover(Stores(frozenset("bc")))
    assert not two.cover(Stores(frozenset("a"), regions=frozenset({"North"})))
    assert Stores(frozenset("ab"), regions=frozenset({"North"})).cover(two)


@given(st.text())
def test_a_text_literal_is_the_text(value):
    if any("\ud800" <= character <= "\udfff" for character in value):
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        (read,) = connection.execute(f"SELECT CAST({text_literal(value)} AS BLOB)").fetchone()
    assert read.decode() == value
