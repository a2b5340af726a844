"""simonw/llm's logs.db as archives: the tables of llm 0.32 and later, and those from before.

A thread is a conversation, and so is one forked off it: as with our own `/fork` the two have their
beginning in common. What was retried within a thread is a branch. A conversation that began in the
old tables and went on in the new ones is one: what stands in both is taken once. Messages that no
thread leads to (programs can store them) become conversations too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing import jsonfile, llmlegacy, llmthreads, logsdb
from cloudllm.importing.logsdb import Log
from cloudllm.importing.models import model_id
from cloudllm.importing.tree import Node, planted
from cloudllm.importing.values import milliseconds, text

_KEYS = (
    ("threads", "SELECT id FROM threads"),
    ("responses", "SELECT DISTINCT conversation_id AS id FROM responses"),
)
_ALONE = "SELECT rowid AS place, id FROM responses WHERE conversation_id IS NULL ORDER BY id"
_RESPONSE = "SELECT * FROM responses WHERE rowid = ?"
_TURNS = "SELECT * FROM turns WHERE thread_id = ? ORDER BY id"
_TURN_TO = "SELECT * FROM turns WHERE tip_message_hash = ? ORDER BY id"


def is_llms(log: Log) -> bool:
    """Is it a log of llm's?"""
    return not log.tables.isdisjoint(table for table, _ in _KEYS)


def conversations(path: Path) -> Iterator[jsonfile.Item]:
    """The conversations in a database, the oldest first, each made when it is asked for.

    Raises:
        UsageError: it cannot be read, or it is not llm's.
    """
    with logsdb.opened(path) as log:
        if not is_llms(log):
            raise jsonfile.unknown(log.where)
        found = {text(row["id"]) for table, sql in _KEYS for row in log.rows(sql, of=table)}
        for key in sorted(found - {""}):
            yield _place(log, key), partial(_conversation, log, key)
        for row in log.rows(_ALONE, of="responses"):
            yield _place(log, text(row["id"])), partial(_alone, log, row["place"])
        for end in llmthreads.loose_ends(log):
            yield _place(log, end), partial(_loose, log, end)


def _place(log: Log, key: str) -> str:
    return f"{log.where}: conversation {key}"


def _conversation(log: Log, key: str) -> Archive:
    thread = _row(log, "threads", key)
    turns = log.rows(_TURNS, (key,), of="turns")
    ids = {turn["id"] for turn in turns}
    tips = [thread.get("tip_message_hash")]
    for turn in turns:
        tips += turn.get("parent_message_hash"), turn.get("tip_message_hash")
    nodes = llmthreads.nodes(log, tips, [*turns, *_before_fork(log, thread)])
    head = text(tips[0])
    if head and head not in nodes:
        raise UsageError(f"{_place(log, key)}: its last message {head} is missing")
    rows = [row for row in llmlegacy.responses(log, key) if row["id"] not in ids]
    last = _merge(nodes, (step for row in rows for step in llmlegacy.steps(log, row)))
    known = _row(log, "conversations", key) or thread
    archive = Archive(
        title=text(known.get("name")),
        created=milliseconds(thread.get("datetime_utc")),
        model=model_id(text(known.get("model"))),
        origin=f"llm:{key}",
    )
    return _planted(log, archive, nodes, head or last)


def _before_fork(log: Log, thread: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The turns of the threads that this one was forked off from: they tell of what it shares."""
    seen = {thread.get("id")}
    while (origin := thread.get("forked_from")) and origin not in seen:
        seen.add(origin)
        yield from log.rows(_TURNS, (origin,), of="turns")
        thread = _row(log, "threads", origin)


def _alone(log: Log, place: int) -> Archive:
    """A response that belongs to no conversation."""
    nodes: dict[str, Node] = {}
    last, origin = None, ""
    for row in log.rows(_RESPONSE, (place,), of="responses"):
        last, origin = _merge(nodes, llmlegacy.steps(log, row)), f"llm:{text(row['id'])}"
    return _planted(log, Archive(origin=origin), nodes, last)


def _loose(log: Log, end: str) -> Archive:
    turns = log.rows(_TURN_TO, (end,), of="turns")
    nodes = llmthreads.nodes(log, [end], turns)
    return _planted(log, Archive(origin=f"llm:{end}"), nodes, end)


def _planted(log: Log, archive: Archive, nodes: dict[str, Node], head: str | None) -> Archive:
    """The archive with these messages, and with their times."""
    times = [node.created for node in nodes.values() if node.created]
    created = min(times, default=archive.created)
    archive = replace(archive, created=created, updated=max(times, default=created))
    return planted(archive, nodes, head, _place(log, archive.origin.removeprefix("llm:")))


def _row(log: Log, table: str, key: str) -> dict[str, Any]:
    rows = log.rows(f"SELECT * FROM {table} WHERE id = ?", (key,), of=table)  # noqa: S608 - ours
    return rows[0] if rows else {}


def _merge(nodes: dict[str, Node], steps: Iterable[Node]) -> str | None:
    """Put steps that follow each other into the tree, those that it has already only once."""
    places = {(node.parent, _gist(node)): key for key, node in nodes.items()}
    at: str | None = None
    for number, step in enumerate(steps):
        found = places.get((at, _gist(step)))
        if found is None:
            found = f"response {number}"
            nodes[found] = replace(step, parent=at)
        else:
            nodes[found] = _completed(nodes[found], step)
        at = found
    return at


def _gist(node: Node) -> tuple[object, ...]:
    return node.system, *((each.role, each.content, each.tool_calls) for each in node.messages)


def _completed(node: Node, step: Node) -> Node:
    """The place with what the old tables know of it: the time, the model and the tokens."""
    pairs = zip(node.messages, step.messages, strict=True)
    messages = tuple(
        replace(new, model=new.model or old.model, usage=new.usage or old.usage)
        for new, old in pairs
    )
    return replace(node, messages=messages, created=step.created or node.created)
