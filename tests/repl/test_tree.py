"""/tree: what follows what can be seen and read, and each chat sees the branch that it is on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

import pytest

from cloudllm import Message, Role, UsageError
from cloudllm.repl.cells import width
from cloudllm.repl.commands import COMMANDS
from cloudllm.repl.opening import Opening
from cloudllm.repl.treeview import drawn
from cloudllm.repl.wording import NEWEST
from cloudllm.store.conversations import Entry, Node, Tree
from tests.repl.screens import Talk

ENTRY = Entry(
    id=1, key="k", title="t", created=0, updated=0, folder="", model="", turns=1,
    broken=False, is_open=False,
)  # fmt: skip
ROLES = (Role.USER, Role.ASSISTANT)


def tree(parents: Sequence[int | None], head: int | None, *, cut: int = 0) -> Tree:
    """A tree of messages 1, 2, …, each after its parent, user and model in turn; one may be cut."""
    roles: dict[int | None, Role] = {}
    nodes = []
    for at, parent in enumerate(parents, start=1):
        roles[at] = Role.ASSISTANT if roles.get(parent) is Role.USER else Role.USER
        nodes.append(
            Node(
                id=at,
                parent=parent,
                created=0,
                role=roles[at],
                status="partial" if at == cut else "complete",
                model=None,
                line=f"m{at}",
                on_branch=False,
            )
        )
    return Tree(entry=ENTRY, nodes=tuple(nodes), head=None).seen_from(head)


def line_of(count: int) -> list[int | None]:
    return [None, *range(1, count)]


def test_what_is_linear_is_flat() -> None:
    assert drawn(tree(line_of(4), 4)).split("\n") == [
        "*   1  you        m1",
        "*   2  assistant  m2",
        "*   3  you        m3",
        ">   4  assistant  m4",
    ]


def test_ways_on_stand_at_one_depth_and_words_say_what_they_follow() -> None:
    assert drawn(tree([None, 1, 2, 3, 3, 2, 6, 7], 8, cut=5)).split("\n") == [
        "*   1  you        m1",
        "*   2  assistant  m2",
        "    3  - you        m3",
        "    4    - assistant  m4",
        "    5    - assistant (after 3, broken off)  m5",
        "*   6  - you (after 2)  m6",
        "*   7    assistant  m7",
        ">   8    you        m8",
    ]


def test_two_first_messages_stand_at_one_depth() -> None:
    assert drawn(tree([None, 1, None, 3], 2)).split("\n") == [
        "    3  - you        m3",
        "    4    assistant  m4",
        "*   1  - you (at the beginning)  m1",
        ">   2    assistant  m2",
    ]


def test_of_a_huge_tree_the_newest_are_shown_and_it_needs_no_stack() -> None:
    huge = tree(line_of(5_000), 5_000)
    lines = drawn(huge).split("\n")
    assert lines[0] == f"… {5_000 - NEWEST:,} earlier messages; /tree all lists them, too"
    assert lines[1] == f"*{5_000 - NEWEST + 1}  you (after {5_000 - NEWEST})  m4951"
    assert lines[-1] == ">5000  assistant  m5000"
    assert len(lines) == 1 + NEWEST
    assert len(drawn(huge, everything=True).split("\n")) == 5_000
    lines = drawn(tree(line_of(NEWEST + 1), NEWEST)).split("\n")
    assert lines[0] == "… 1 earlier message; /tree all lists them, too"


def test_the_message_at_which_the_chat_is_can_always_be_seen() -> None:
    lines = drawn(tree(line_of(500), 7)).split("\n")
    assert lines[1] == ">   7  you (after 6)  m7"
    assert lines[2] == "  451  you (after 450)  m451"
    assert len(lines) == 2 + NEWEST


def test_many_forks_stay_on_the_screen() -> None:
    parents: list[int | None] = [None]
    for at in range(
        1, 60, 2
    ):  # at each turn there are two replies, and the second one is gone on with
        parents += [at, at]
    for columns in (20, 50, 80):
        lines = drawn(tree(parents, len(parents)), columns, everything=True).split("\n")
        assert max(map(width, lines)) <= columns
        assert all(re.match(r"[*> ] +\d+ +(- )?(you|assist)", line) for line in lines)
    assert drawn(tree([None, 1], 2), 15).split("\n") == ["*   1  you    …", ">   2  assista…"]


# In a chat.


@pytest.fixture
async def other(talk: Talk) -> AsyncIterator[Talk]:
    """A second chat on the same conversation, which has gone on with it."""
    await give(talk, "one", "answer one")
    other = Talk(Opening(go_on=True))
    await other.start()
    await other.chat.open(person=True)
    await give(talk, "mine", "answer mine")
    await give(other, "theirs", "answer theirs")
    yield other
    await other.chat.close()


async def give(talk: Talk, *texts: str) -> None:
    """Have a user and the model, in turn, have said this."""
    session = await talk.chat.connect()
    for place, text in enumerate(texts):
        model = "echo/echo" if place % 2 else None
        session.inject_message(Message(ROLES[place % 2], text, model=model))
    if talk.chat.shelf is not None:
        await talk.chat.shelf.journal.saved()


def said(talk: Talk) -> list[str]:
    return [message.content for message in talk.chat.history]


async def marked(talk: Talk) -> list[str]:
    """Each message of the tree, with the mark that it has."""
    lines = (await talk.say("/tree")).split("\n")
    return [f"{line[0]} {line.rpartition('  ')[2]}".strip() for line in lines]


async def test_each_of_two_chats_sees_its_own_branch(talk: Talk, other: Talk) -> None:
    assert await marked(talk) == [
        "* one", "* answer one", "theirs", "answer theirs", "* mine", "> answer mine",
    ]  # fmt: skip
    assert await marked(other) == [
        "* one", "* answer one", "mine", "answer mine", "* theirs", "> answer theirs",
    ]  # fmt: skip
    complete = COMMANDS["/tree"].complete
    assert complete is not None
    assert list(await complete(talk.chat, "")) == [
        ("1", "* one"), ("2", "* answer one"), ("3", "* mine"), ("4", "> answer mine"),
        ("5", "  theirs"), ("6", "  answer theirs"),
    ]  # fmt: skip


async def test_a_fork_and_a_file_are_of_the_branch_of_the_chat(talk: Talk, other: Talk) -> None:
    assert talk.chat.shelf is not None
    archive = await talk.chat.shelf.archive()
    assert archive is not None
    assert [each.message.content for each in archive.branch()] == said(talk)
    assert len(archive.messages) == 6
    mine, theirs = said(talk), said(other)
    await talk.say("/fork 2")
    assert said(talk) == mine
    await other.say("/fork")
    assert said(other) == theirs


async def test_what_was_taken_back_is_on_no_branch(talk: Talk) -> None:
    await give(talk, "one", "answer one")
    await talk.say("/undo")
    assert await marked(talk) == ["one", "answer one"]
    with pytest.raises(UsageError, match="nothing to copy: all that was said was taken back"):
        await talk.say("/fork")


async def test_of_many_messages_all_can_be_shown(talk: Talk) -> None:
    await give(talk, *(f"text {at}" for at in range(60)))
    assert (await talk.say("/tree")).startswith("… 10 earlier messages; /tree all lists them, too")
    assert len((await talk.say("/tree all")).split("\n")) == 60
