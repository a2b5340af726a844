"""A conversation's tree as lines: the branch in use is marked, others stand aside (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from cloudllm.repl.cells import cut
from cloudllm.repl.transcript import SPEAKERS
from cloudllm.repl.wording import state
from cloudllm.store.conversations import Node, Tree

_MOST = 200  # lines
_DEEPEST = 8  # steps aside that are drawn


def drawn(tree: Tree, columns: int | None = None) -> str:
    """Every message with its number, cut to so many cells; of a huge tree only the end.

    `*` marks the branch in use, `>` its last message. Where it forks, what was left comes first, a
    step aside.
    """
    numbers = {node.id: number for number, node in enumerate(tree.nodes, start=1)}
    lines = [_line(node, numbers[node.id], aside, tree.head) for node, aside in _walk(tree)]
    if len(lines) > _MOST:
        lines[:-_MOST] = [f"… {len(lines) - _MOST:,} earlier ones"]
    return "\n".join(line if columns is None else cut(line, columns) for line in lines)


def _walk(tree: Tree) -> Iterator[tuple[Node, int]]:
    """Every message with how far aside it stands, from the first one on."""
    children: defaultdict[int | None, list[Node]] = defaultdict(list)
    known = {node.id for node in tree.nodes}
    for node in tree.nodes:
        children[node.parent if node.parent in known else None].append(node)
    to_come = _in_order(children[None], 0)
    while to_come:  # no recursion: a branch can be longer than Python's stack is deep
        node, aside = to_come.pop()
        yield node, aside
        to_come += _in_order(children[node.id], aside)


def _in_order(children: list[Node], aside: int) -> list[tuple[Node, int]]:
    """Those that follow one message, the first one last: the branch in use, or else the newest."""
    ordered = sorted(children, key=lambda node: (node.on_branch, node.id))
    last = len(ordered) - 1
    steps = [(node, aside + (place < last)) for place, node in enumerate(ordered)]
    return steps[::-1]


def _line(node: Node, number: int, aside: int, head: int | None) -> str:
    mark = ">" if node.id == head else "*" if node.on_branch else " "
    noted = f"  ({state(node.status)})" if state(node.status) else ""
    name = SPEAKERS[node.role].lower()
    return f"{mark}{number:>4}  {'  ' * min(aside, _DEEPEST)}{name:<9}  {node.line}{noted}"
