"""How the store's file came to its present form: steps that are never changed, only added to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_CALLS = (
    # One row for each call that went out. Money is in billionths of a US dollar, a price that for a
    # million tokens, a time in milliseconds. `charged` is what counts against a budget.
    """
    CREATE TABLE call (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        time INTEGER NOT NULL,
        session TEXT NOT NULL,
        purpose TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'void')),
        projected INTEGER,
        charged INTEGER NOT NULL CHECK (charged >= 0),
        input INTEGER,
        output INTEGER,
        cached INTEGER,
        stored INTEGER,
        reasoning INTEGER,
        source TEXT CHECK (source IN ('provider', 'estimate')),
        cost INTEGER,
        input_price INTEGER,
        output_price INTEGER,
        cached_price INTEGER,
        stored_price INTEGER,
        price_source TEXT
    ) STRICT
    """,
    "CREATE INDEX call_time ON call (time, charged)",
    "CREATE INDEX call_session ON call (session, charged)",
)

_DRAFTS = (
    # What stands unsent in an editor, one row for each chat; the time is in milliseconds since 1970.
    """
    CREATE TABLE draft (
        owner INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        text TEXT NOT NULL
    ) STRICT
    """,
)

_CONVERSATIONS = (
    # Times are in milliseconds since 1970. `head` is the last message of the branch in use, `owner`
    # the number of the chat that has it, `origin` what it was imported from.
    """
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        titled TEXT NOT NULL CHECK (titled IN ('message', 'model', 'person')),
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        folder TEXT NOT NULL,
        model TEXT NOT NULL,
        system_prompt TEXT NOT NULL,
        origin TEXT UNIQUE,
        head INTEGER REFERENCES message (id),
        owner INTEGER
    ) STRICT
    """,
    "CREATE INDEX conversation_updated ON conversation (updated)",
    "CREATE INDEX conversation_folder ON conversation (folder, updated)",
    "CREATE INDEX conversation_head ON conversation (head)",
    # A tree: each message follows its parent. `details` is what else is known of it, as JSON. One that
    # is still coming in has the number of the chat that receives it as its `owner`.
    """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversation (id),
        parent INTEGER REFERENCES message (id),
        created INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
        status TEXT NOT NULL CHECK (status IN ('streaming', 'complete', 'partial', 'cancelled')),
        content TEXT NOT NULL,
        reasoning TEXT NOT NULL,
        pinned INTEGER NOT NULL,
        model TEXT,
        details TEXT NOT NULL,
        owner INTEGER
    ) STRICT
    """,
    "CREATE INDEX message_conversation ON message (conversation)",
    "CREATE INDEX message_turns ON message (conversation) WHERE role = 'user'",
    "CREATE INDEX message_parent ON message (parent)",
    "CREATE INDEX message_streaming ON message (status) WHERE status = 'streaming'",
    # The journal: what came of a message that is still coming in, piece by piece. What it goes on
    # with has the numbers 0 and 1.
    """
    CREATE TABLE piece (
        message INTEGER NOT NULL REFERENCES message (id),
        number INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('text', 'reasoning')),
        text TEXT NOT NULL,
        PRIMARY KEY (message, number)
    ) STRICT, WITHOUT ROWID
    """,
    # When something was done last that is done once a day at most, in milliseconds since 1970.
    """
    CREATE TABLE chore (
        name TEXT PRIMARY KEY,
        time INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX message_created ON message (created, conversation)",
)

# A line break counts as a blank; with two more at the end, the last two characters begin trigrams
# as well, by which a word of one or two is found.
_TEXT = "replace({}.content, char(10), ' ') || '  '"

_SEARCH = (
    # What can be searched: every message that is not still coming in. The index holds which trigrams
    # a message has, not where: that takes a fifth of the room, and half of the time.
    f"""
    CREATE VIEW searchable AS
        SELECT id, {_TEXT.format("message")} AS content FROM message WHERE status != 'streaming'
    """,  # noqa: S608 - our own words
    """
    CREATE VIRTUAL TABLE found USING fts5 (
        content, content = 'searchable', content_rowid = 'id', tokenize = 'trigram', detail = 'none'
    )
    """,
    "CREATE VIRTUAL TABLE trigram USING fts5vocab ('found', 'row')",
    f"""
    CREATE TRIGGER message_added AFTER INSERT ON message WHEN new.status != 'streaming' BEGIN
        INSERT INTO found (rowid, content) VALUES (new.id, {_TEXT.format("new")});
    END
    """,  # noqa: S608 - our own words
    f"""
    CREATE TRIGGER message_ended AFTER UPDATE OF content, status ON message
    WHEN new.status != 'streaming' BEGIN
        INSERT INTO found (found, rowid, content)
            SELECT 'delete', old.id, {_TEXT.format("old")} WHERE old.status != 'streaming';
        INSERT INTO found (rowid, content) VALUES (new.id, {_TEXT.format("new")});
    END
    """,  # noqa: S608 - our own words
    f"""
    CREATE TRIGGER message_gone AFTER DELETE ON message WHEN old.status != 'streaming' BEGIN
        INSERT INTO found (found, rowid, content) VALUES ('delete', old.id, {_TEXT.format("old")});
    END
    """,  # noqa: S608 - our own words
)

_USE = (
    # When the conversation was taken up last, in milliseconds since 1970, and in which folder.
    "ALTER TABLE conversation ADD COLUMN used INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN used_in TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX conversation_used ON conversation (used_in, used)",
    # Which turn of its branch a message belongs to, the first one being 1. What a user says before
    # there is a reply is one turn.
    "ALTER TABLE message ADD COLUMN turn INTEGER NOT NULL DEFAULT 0",
    """
    WITH RECURSIVE counted (id, role, turn) AS (
        SELECT id, role, role = 'user' FROM message WHERE parent IS NULL
        UNION ALL
        SELECT message.id, message.role,
            counted.turn + (message.role = 'user' AND counted.role != 'user')
        FROM counted JOIN message ON message.parent = counted.id
    )
    UPDATE message SET turn = counted.turn FROM counted WHERE counted.id = message.id
    """,
    "DROP INDEX message_turns",
)

STEPS: tuple[Sequence[str], ...] = (_CALLS, _DRAFTS, (*_CONVERSATIONS, *_SEARCH), _USE)
"""The statements of each version, the first being 1."""


def version(connection: Connection) -> int:
    """Which version the file has; 0 is an empty one."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def migrate(connection: Connection) -> None:
    """Bring the file to the newest version; the caller holds a transaction around it.

    The statements go one by one: `executescript` would commit the transaction, and a failure
    halfway would leave a file that no version knows. Where SQLite can't search text, the file does
    without the index.
    """
    left_out = () if _can_search(connection) else _SEARCH
    for number in range(version(connection), len(STEPS)):
        for statement in STEPS[number]:
            if statement not in left_out:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")


def _can_search(connection: Connection) -> bool:
    found = connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone()
    return found is not None
