"""simonw/llm's logs.db, as two versions of llm have really made it: all of it, nothing twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from cloudllm.archive import Archive
from cloudllm.importing import read
from cloudllm.messages import ToolCall
from tests.core.importing.reading import DATA, error_of, said, whole_and_error

OLD, BOTH = DATA / "old.db", DATA / "both.db"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A database of llm's to change."""
    return Path(shutil.copy(BOTH, tmp_path / "logs.db"))


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def titled(path: Path, title: str) -> Archive:
    (found,) = (archive for archive in read(path) if archive.title == title)
    return found


def texts(path: Path) -> Counter[str]:
    return Counter(each.message.content for archive in read(path) for each in archive.messages)


def test_the_old_tables_are_read() -> None:
    found = list(read(OLD))
    assert [(archive.title, len(archive.messages)) for archive in found] == [
        ("hello there", 4),
        ("a fragment what is it", 2),
        ("look", 2),
        ("use the tool", 6),
        ("second talk", 5),
    ]
    assert said(found[0]) == [
        ("user", "hello there"),
        ("assistant", "You said: hello there"),
        ("user", "and again"),
        ("assistant", "You said: and again"),
    ]
    reply = found[0].messages[-1].message
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (2, 3)
    assert (reply.usage.cached_tokens, reply.model) == (1, "parrot")
    assert found[0].origin.startswith("llm:01")
    assert 1_700_000_000_000 < found[0].created < found[0].updated


def test_old_and_new_tables_in_one_file_are_all_read_and_nothing_twice() -> None:
    found = list(read(BOTH))
    assert [(archive.title, len(archive.messages)) for archive in found] == [
        ("hello there", 4),
        ("a fragment what is it", 2),
        ("look", 2),
        ("use the tool", 10),
        ("second talk", 7),
        ("think about it", 6),
        ("the fork", 4),
        ("a fragment what is it now", 2),
        ("look now", 2),
        ("use the new tool", 6),
        ("", 2),
    ]
    twice = [text for text, number in texts(BOTH).items() if number > 1]
    # The fork has its beginning in common with what it was forked off; and two tools said so.
    assert twice == ["Let me count.", "think about it", "You said: think about it"]


@pytest.mark.parametrize(("path", "suffix"), [(OLD, ""), (BOTH, " now")])
def test_fragments_and_pictures_are_put_in_their_place(path: Path, suffix: str) -> None:
    found = titled(path, f"a fragment what is it{suffix}")
    assert said(found)[0] == ("user", f"a fragment\nwhat is it{suffix}")
    assert found.system_prompt == "a fragment"
    assert said(titled(path, f"look{suffix}"))[0] == ("user", f"look{suffix}\n[image: dot.png]")


@pytest.mark.parametrize(("path", "what"), [(OLD, "use the tool"), (BOTH, "use the new tool")])
def test_calls_of_tools_stay_calls(path: Path, what: str) -> None:
    _, call, result, reply, *_ = (each.message for each in titled(path, what).branch())
    assert call.content == "Let me count."
    assert call.tool_calls == (ToolCall("call-1", "count", f'{{"text": "{what}"}}'),)
    assert (result.role, result.tool_call_id) == ("tool", "call-1")
    assert reply.content == f"It is {result.content}"


def test_a_conversation_that_went_on_in_the_new_tables_is_one() -> None:
    found = titled(BOTH, "second talk")
    assert found.system_prompt == "Be brief"
    assert [text for _, text in said(found)] == [
        "second talk",
        "You said: second talk",
        "[system]\nBe long",
        "more",
        "You said: more",
        "gone on with",
        "You said: gone on with",
    ]
    replies = [each.message for each in found.messages if each.message.role == "assistant"]
    assert all(reply.usage is not None and reply.model == "parrot" for reply in replies)


def test_what_was_asked_again_is_a_branch_and_a_fork_is_a_conversation() -> None:
    talk, fork = titled(BOTH, "think about it"), titled(BOTH, "the fork")
    assert [each.parent for each in talk.messages] == [None, "1", "2", "3", "2", "5"]
    assert said(talk)[-1] == ("assistant", "You said: next, asked again")
    assert talk.messages[1].message.reasoning == "Hmm, a hard one."
    assert [text for _, text in said(fork)][2:] == ["what if", "Then this."]
    assert fork.messages[1].message == talk.messages[1].message
    assert fork.created == talk.created
    assert (talk.system_prompt, fork.system_prompt) == ("Be new", "Be new")


def test_nothing_is_written_beside_the_database(log: Path) -> None:
    before = log.read_bytes()
    log.chmod(0o400)
    log.parent.chmod(0o500)
    try:
        assert len(list(read(log))) == 11
    finally:
        log.parent.chmod(0o700)
    change(log, "PRAGMA journal_mode = WAL")
    assert len(list(read(log))) == 11
    assert [path.name for path in log.parent.iterdir()] == ["logs.db"]
    assert log.read_bytes()[100:] == before[100:]


def test_what_is_still_in_a_wal_is_read(log: Path) -> None:
    connection = sqlite3.connect(log)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE conversations SET name = 'renamed' WHERE name = 'look'")
    connection.commit()
    assert titled(log, "renamed").messages
    connection.close()


def test_models_are_named_with_their_provider_where_that_is_plain(log: Path) -> None:
    names = {"gpt-4o": "openai/gpt-4o", "o3": "openai/o3", "claude-3-opus": "anthropic/claude-3-opus",
             "gemini-2.0-flash": "gemini/gemini-2.0-flash", "grok-4": "xai/grok-4",
             "anthropic/claude": "anthropic/claude", "gpt-oss:20b": "gpt-oss:20b", "phi": "phi"}  # fmt: skip
    for name, model in names.items():
        change(log, f"UPDATE turns SET model = '{name}'", f"UPDATE responses SET model = '{name}'")
        assert titled(log, "think about it").model == model
        assert titled(log, "look").model == model


def test_a_response_without_a_conversation_and_a_call_without_an_id_are_kept(log: Path) -> None:
    shutil.copy(OLD, log)
    change(
        log,
        "UPDATE responses SET conversation_id = NULL WHERE prompt = 'look'",
        "UPDATE tool_calls SET tool_call_id = NULL",
        "UPDATE tool_results SET tool_call_id = NULL, exception = 'Oops: no'",
    )
    found = {archive.messages[0].message.content: archive for archive in read(log)}
    assert said(found["look\n[image: dot.png]"])[1] == ("assistant", "You said: look")
    assert [text for _, text in said(found["use the tool"])][1:4] == [
        'Let me count.\n\n[to count]\n{"text": "use the tool"}',
        "[count]\n3\nOops: no",
        "It is 3",
    ]


def test_tables_of_an_early_version_lack_columns(log: Path) -> None:
    early = """
        CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT,
            prompt_json TEXT, options_json TEXT, response TEXT, response_json TEXT,
            conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT)
    """
    path = log.with_name("early.db")
    row = "('r1', 'gpt-3.5-turbo', 'hi', NULL, NULL, NULL, 'ho', NULL, 'c1', 5, '2023-07-01T10:00:00')"
    change(path, early, f"INSERT INTO responses VALUES {row}")
    (found,) = read(path)
    assert said(found) == [("user", "hi"), ("assistant", "ho")]
    assert (found.created, found.model) == (1688205600000, "openai/gpt-3.5-turbo")


def test_names_of_columns_may_be_written_in_capitals(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    change(
        path,
        "CREATE TABLE responses (ID, Conversation_ID, PROMPT, response)",
        "INSERT INTO responses VALUES ('r1', 'c1', 'hi', 'ho'), ('r2', NULL, 'hm', 'ha')",
    )
    assert [archive.origin for archive in read(path)] == ["llm:c1", "llm:r2"]


def test_a_broken_thread_does_not_keep_back_the_others(log: Path) -> None:
    first = "(SELECT hash FROM messages WHERE parent_hash IS NOT NULL LIMIT 1)"
    change(log, f"DELETE FROM messages WHERE hash = {first}")
    found, error = whole_and_error(log)
    assert len(found) == 10
    assert "logs.db: conversation 01" in error
    assert "is missing" in error


def test_messages_in_a_circle_are_told_of(log: Path) -> None:
    tip = "(SELECT tip_message_hash FROM threads WHERE name = 'look now')"
    change(log, f"UPDATE messages SET parent_hash = {tip} WHERE parent_hash IS NULL")
    assert "follows itself in a circle" in whole_and_error(log)[1]


def test_another_database_and_a_damaged_one_are_refused(tmp_path: Path, log: Path) -> None:
    other = tmp_path / "other.db"
    change(other, "CREATE TABLE note (text)", "CREATE VIEW responses AS SELECT 1 AS id")
    assert error_of(other).startswith(f"{other}: it holds no conversations. Name cloudllm's")
    data = log.read_bytes()
    log.write_bytes(data[: len(data) // 2])
    assert "malformed" in whole_and_error(log)[1]
    change(other, "CREATE TABLE threads (name TEXT)")
    assert error_of(other) == f"{other}: no such column: id"
