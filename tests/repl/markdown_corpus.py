"""Markdown as models write it, and lines that no model should, at random but from a seed."""

from __future__ import annotations

import random

from cloudllm.repl.render.frame import Frame
from cloudllm.repl.render.markdown import MarkdownRenderer
from cloudllm.repl.theme import theme

THEME = theme("dark")
WORDS = [
    *("the", "parser", "keeps", "*every*", "**word**", "and", "`code`", "in", "place,", "a|b"),
    *("[a link](https://e.example/a)", "<https://e.example/b>", "~~gone~~", "naïve", "façade"),
    *("中文字符", "日本語", "👩‍👩‍👧‍👦", "❤️", "e\u0301", "x_y", "3*4", "&amp;", "<b>html</b>"),
    *("![image](i.png)", "**bold *and* more**", "`a``b`", "\\*escaped\\*", "**open", "*"),
]
CODE = {
    "python": ["def f(x):", '    """Doc', '    string."""', "    return x  # note", ""],
    "": ["plain", "\ttabbed", "    indented", "", "```js"],
    "sh": ["for f in *; do", '  echo "$f"', "done <<EOF", "text", "EOF"],
    "unheard-of": ["(((", "|||", "~~~"],
}
ADVERSARIAL = [
    *("", "", "## ", "#", "---", "===", "-", "1.", "+", ">", "> > deep", "lazy", "  ", "\t", "***"),
    *("- a", "  - b", "   - c", "    - d", "2) two", "10. ten", "* * *", "- ---", "- [ ] task"),
    *("```", "```python", "~~~", "    ```", "> ```", "- ```py", "  code", "  ```", "'''doc", "|"),
    *("| a | b |", "|---|---|", "| 1 | 2 | 3 |", "| `a|b` | c |", "a  ", "b\\", "*a **b `c", "-->"),
    *("&#27;[2J", "<https://a/%1b]0;x>", "![i](u)", "_a_b_", "\x1b[31mred", "\r", "<!-- c", "[x]"),
]
DEFINITIONS = [
    "[r]: http://x",
    "[r]: http://y 'title",
    "end'",
    "[r] and [t][r]",
    "[s]:",
    "http://z",
]


def realistic(rng: random.Random) -> str:
    """A reply with every kind of block."""
    makers = [_paragraph, _heading, _list, _code, _table, _quote]
    blocks = [rng.choice(makers)(rng) for _ in range(rng.randint(2, 9))]
    return "\n\n".join(blocks) + rng.choice(["", "\n", "\n\n"])


def adversarial(rng: random.Random, *, definitions: bool = True) -> str:
    """Lines that mean something else in each other's company."""
    lines = ADVERSARIAL + DEFINITIONS * definitions
    return "\n".join(rng.choice(lines) for _ in range(rng.randint(1, 25)))


def cut(rng: random.Random, text: str) -> list[str]:
    """The text in pieces of random lengths."""
    most = rng.choice([8, 40, 200])
    pieces = []
    while text:
        size = rng.randint(1, most)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def committed(pieces: list[str], width: int, live_rows: int = 12) -> list[str]:
    """All rows that the scrollback gets."""
    renderer = MarkdownRenderer(width, live_rows, THEME)
    frames: list[Frame] = [renderer.feed(piece) for piece in pieces]
    assert all(len(frame.live) <= live_rows for frame in frames)
    return [row for frame in [*frames, renderer.end()] for row in frame.commit]


def _words(rng: random.Random, most: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, most)))


def _paragraph(rng: random.Random) -> str:
    return "\n".join(_words(rng, 25) for _ in range(rng.randint(1, 3)))


def _heading(rng: random.Random) -> str:
    text = _words(rng, 5)
    return rng.choice([f"# {text}", f"### {text} ###", f"{text}\n===", f"{text}\n---"])


def _list(rng: random.Random, depth: int = 0) -> str:
    mark = rng.choice(["-", "*", "1.", "3)", "- [x]"])
    lines = []
    for _ in range(rng.randint(1, 4)):
        indent = " " * (3 * depth)
        lines.append(f"{indent}{mark} {_words(rng, 12)}")
        if depth < 2 and rng.random() < 0.3:
            lines.append(_list(rng, depth + 1))
        elif rng.random() < 0.15:
            lines += ["", f"{indent}   {_words(rng, 8)}", ""]
        elif rng.random() < 0.15:
            lines += [f"{indent}   ```python", f"{indent}   x = 1", f"{indent}   ```"]
    return "\n".join(lines)


def _code(rng: random.Random) -> str:
    name = rng.choice(list(CODE))
    fence = rng.choice(["```", "~~~~"])
    lines = [rng.choice(CODE[name]) for _ in range(rng.choice([1, 5, 30, 120]))]
    if fence == "```":
        lines = [line for line in lines if not line.startswith("```")]
    return "\n".join([fence + name, *lines, fence])


def _table(rng: random.Random) -> str:
    columns = rng.randint(1, 6)
    rows = [
        [_words(rng, 6).replace("|", "/") for _ in range(columns)] for _ in range(rng.randint(1, 6))
    ]
    rows.insert(1, [rng.choice(["---", ":--", "--:", ":-:"]) for _ in range(columns)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _quote(rng: random.Random) -> str:
    inner = rng.choice([_paragraph, _list, _code])(rng)
    return "\n".join(f"> {line}" for line in inner.split("\n"))
