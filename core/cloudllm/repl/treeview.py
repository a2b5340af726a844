"""A conversation's tree as lines: what follows what is seen, and stands there in words (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudllm.repl.cells import cut
from cloudllm.repl.transcript import SPEAKERS
from cloudllm.repl.wording import NEWEST, earlier_left_out, state
from cloudllm.store.conversations import Node, Tree

_DEEPEST = 8  # steps aside that are drawn
_STEP = "  "
_WAY_ON = "- "
_CELLS_FOR_A_STEP = 10


@dataclass(frozen=True, slots=True)
class _Placed:
    """A message in the order of the tree; `aside` is how many steps, `is_one_of` several ways on."""

    node: Node
    aside: int
    is_one_of: bool


def drawn(tree: Tree, columns: int | None = None, *, everything: bool = False) -> str:
    """The newest messages with their numbers, or everything, each line cut to so many cells.

    `*` marks the branch in use, `>` its last message, which is always there. What follows a message
    stands below it. Several ways on stand one step aside, "-" before each, and the one in use comes
    last. Where the message that one follows is not right above it, its number is told.
    """
    numbers: dict[int | None, int] = {node.id: at for at, node in enumerate(tree.nodes, start=1)}
    hidden = 0 if everything else max(0, len(tree.nodes) - NEWEST)
    shown = [
        each for each in _walk(tree) if numbers[each.node.id] > hidden or each.node.id == tree.head
    ]
    lines = list(_lines(shown, numbers, tree.head, columns))
    if earlier := len(tree.nodes) - len(shown):
        lines.insert(0, earlier_left_out(earlier, "message", "/tree all"))
    return "\n".join(line if columns is None else cut(line, columns) for line in lines)


def mark(node: Node, head: int | None) -> str:
    """How a message that is on the branch in use is marked."""
    return ">" if node.id == head else "*" if node.on_branch else " "


def _walk(tree: Tree) -> Iterator[_Placed]:
    """Every message, each after the one that it follows."""
    children: defaultdict[int | None, list[Node]] = defaultdict(list)
    known = {node.id for node in tree.nodes}
    for node in tree.nodes:
        children[node.parent if node.parent in known else None].append(node)
    to_come = _in_order(children[None], 0)
    while to_come:  # no recursion: a branch can be longer than Python's stack is deep
        placed = to_come.pop()
        yield placed
        to_come += _in_order(children[placed.node.id], placed.aside)


def _in_order(children: list[Node], aside: int) -> list[_Placed]:
    """Those that follow one message, the first one last: the branch in use, or else the newest."""
    ordered = sorted(children, key=lambda node: (node.on_branch, node.id), reverse=True)
    several = len(ordered) > 1
    return [_Placed(node, aside + several, several) for node in ordered]


def _lines(
    shown: Sequence[_Placed], numbers: dict[int | None, int], head: int | None, columns: int | None
) -> Iterator[str]:
    digits = max(4, len(str(len(numbers))))
    least = min((each.aside - each.is_one_of for each in shown), default=0)
    deepest = _DEEPEST if columns is None else min(_DEEPEST, columns // _CELLS_FOR_A_STEP)
    before: int | None = None
    for each in shown:
        node = each.node
        aside = min(each.aside - least, deepest)
        steps = _STEP * (aside - 1) + _WAY_ON if each.is_one_of else _STEP * aside
        notes = _after(numbers.get(node.parent), node.parent == before), state(node.status)
        noted = ", ".join(filter(None, notes))
        who = SPEAKERS[node.role].lower()
        who = f"{who} ({noted})" if noted else f"{who:<9}"
        yield f"{mark(node, head)}{numbers[node.id]:>{digits}}  {steps}{who}  {node.line}"
        before = node.id


def _after(number: int | None, is_above: bool) -> str:  # noqa: FBT001 - reads well
    """Which message one follows, if that is not the one right above it."""
    if is_above:
        return ""
    return "at the beginning" if number is None else f"after {number}"
