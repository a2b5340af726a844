"""A migration that is killed at any statement leaves the file as it was, and is done the next time."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm.store import migrations
from cloudllm.store.database import Store
from tests.core.store.stored import rows

pytestmark = pytest.mark.slow

PROGRAM = """
import os, sys
from pathlib import Path
from cloudllm.store import migrations
from cloudllm.store.database import Store

CHANGES = "CREATE", "ALTER", "WITH", "DROP", "PRAGMA user_version ="

class Dying:
    def __init__(self, connection):
        self.connection, self.left = connection, int(sys.argv[2])

    def execute(self, *statement):
        if statement[0].lstrip().startswith(CHANGES):
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), 9)
        return self.connection.execute(*statement)

migrate = migrations.migrate
migrations.migrate = lambda connection: migrate(Dying(connection))
with Store(Path(sys.argv[1])).write():
    pass
"""
SCHEMA = "SELECT name, sql FROM sqlite_schema ORDER BY name"


def made(path: Path, version: int) -> None:
    """A file of an older version, with something in it."""
    with closing(sqlite3.connect(path)) as connection:
        for step in migrations.STEPS[:version]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("INSERT INTO draft VALUES (1, 1, 'precious')")
        connection.commit()


@pytest.mark.parametrize("version", [0, 2, 3])
def test_G5_a_migration_killed_at_any_statement_leaves_what_was_there(
    tmp_path: Path, version: int
) -> None:
    statements = sum(len(step) + 1 for step in migrations.STEPS[version:])
    for place in range(statements + 1):
        path = tmp_path / str(place) / "store.db"
        path.parent.mkdir()
        if version:
            made(path, version)
        before = rows(path, SCHEMA) if version else []
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(path), str(place)], check=False)
        assert done.returncode == (-signal.SIGKILL if place < statements else 0)
        if place < statements:
            assert rows(path, SCHEMA) == before
            assert rows(path, "PRAGMA user_version") == [(version,)]
        store = Store(path)
        with store.write():
            pass
        store.close()
        assert rows(path, "PRAGMA user_version") == [(len(migrations.STEPS),)]
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        if version:
            assert rows(path, "SELECT text FROM draft") == [("precious",)]
