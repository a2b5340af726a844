"""What each kind of Markdown looks like in the scrollback."""

from __future__ import annotations

import re

import pytest

from cloudllm.looks import NAMES
from cloudllm.repl.render.cells import cells
from cloudllm.repl.theme import theme
from tests.repl.markdown_corpus import committed


def shown(text: str, width: int = 40) -> list[str]:
    """The rows without our styles."""
    return [re.sub(r"\x1b\[[\d;]*m", "", row) for row in committed([text], width)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("# One\ntext\n\nTwo\n---", ["One", "", "text", "", "Two"]),
        ("- a\n- b\n  - c\n\n    more\n- d", ["• a", "• b", "  ◦ c", "", "    more", "• d"]),
        ("3. a\n3. b\n\n3. c", ["3. a", "4. b", "", "5. c"]),
        ("- [ ] todo\n- [x] done\n1. [X] too", ["[ ] todo", "[x] done", "", "1. [x] too"]),
        ("> a\n> - b\n>\n> > c", ["│ a", "│ • b", "│ ", "│ │ c"]),
        ("[t](https://e.example/ 'x')", ['t (https://e.example/ "x")']),
        ("<https://e.example/%41> [u:v](u:v)", ["https://e.example/%41 u:v"]),
        ("![alt *text*](i.png)", ["[image: alt text] (i.png)"]),
        ("`a` **b** _c_ ~~d~~ <i>e</i> &amp;", ["a b c d <i>e</i> &"]),
        ("one\ntwo  \nthree", ["one two", "three"]),
        ("a\n\n***\n\nb", ["a", "", "─" * 40, "", "b"]),
        ("~~~js x\na ```\n~~~\nb", ["~~~js x", "a ```", "~~~", "", "b"]),
        ("a\n\n    code\n\n    more", ["a", "", "    code", "", "    more"]),
        ("- ```sh\n  ls\n  ```\n- b", ["• ```sh", "  ls", "  ```", "• b"]),
        ("[文](/路径/a%20b) <http://é.example>", ["文 (/路径/a%20b) http://é.example"]),
        ("- [Ann]: hello\n\n> [q]: x", ["• [Ann]: hello", "", "│ [q]: x"]),
        ("[r]: https://e.example/\n[r]", ["[r]: https://e.example/", "", "r (https://e.example/)"]),
        ("&#27;[2J &#x202e; &#10;x", ["�[2J <U+202E> ␤x"]),
        ("a\x1b[31mb <https://e.example/%1b]0;x>", ["a␛[31mb https://e.example/%1b]0;x"]),
        ("```\n\ta\n12\tb\n```", ["```", "    a", "12  b", "```"]),
        ("", []),
        ("\n\n", []),
        ("#\n\n- \n\nx", ["• ", "", "x"]),
    ],
)
def test_blocks(text: str, rows: list[str]) -> None:
    assert shown(text) == rows


def test_prose_wraps_between_words_and_wide_characters_anywhere() -> None:
    assert shown("- one two three four", 10) == ["• one two", "  three", "  four"]
    ideographs = "中文字符和更多的文字\uff0c后面。"
    assert shown(ideographs, 10) == ["中文字符和", "更多的文", "字\uff0c后面。"]
    assert shown("ab 中文字 cd", 7) == ["ab 中文", "字 cd"]
    family = "👩‍👩‍👧‍👦"
    assert shown(f"{family * 2} {family}", 4) == [family * 2, family]


def test_an_address_and_a_line_of_code_are_left_to_the_terminal_to_fold() -> None:
    address, code = f"https://e.example/{'a' * 60}", f"x = '{'b ' * 40}'"
    assert shown(f"see <{address}> now\n\n```\n{code}\n```", 20) == [
        *("see", address, "now", "", "```", code, "```"),
    ]


TABLE = "| name | what it is |\n|:--|--:|\n| one | short |\n| 中文 | `a|b` and some more text |"


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert shown(TABLE, 60) == [
        "name │             what it is",
        "─────┼───────────────────────",
        "one  │                  short",
        "中文 │ a|b and some more text",
    ]


def test_a_table_wider_than_the_screen_wraps_its_cells() -> None:
    assert shown(TABLE, 20) == [
        "name │    what it is",
        "─────┼──────────────",
        "one  │         short",
        "中文 │  a|b and some",
        "     │     more text",
    ]


def test_a_table_for_which_the_screen_is_too_narrow_is_a_list_of_cells() -> None:
    assert shown(TABLE, 14) == [
        *("name: one", "what it is:", "short", "", "name: 中文", "what it is:", "a|b and some"),
        "more text",
    ]


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80, 200])
def test_no_row_of_a_table_is_wider_than_the_screen(width: int) -> None:
    for columns in (1, 2, 5, 9):
        row = "|" + " some `words` 中文 here |" * columns
        rows = shown(f"{row}\n|{'---|' * columns}\n{row}\n", width)
        assert all(cells(row) <= max(width, len("words:")) for row in rows)


def test_no_cell_of_a_row_is_lost() -> None:
    assert shown("| a | b |\n|---|---|\n| 1 | 2 | 3 | 4 |\n| 5 |")[2:] == ["1 │ 2 | 3 | 4", "5 │ "]


def test_what_is_nested_too_deeply_is_shown_as_it_is() -> None:
    quote = f"{'>' * 500} deep"
    assert shown(quote, 600) == [quote]
    items = "\n".join(f"{'  ' * depth}- item {depth}" for depth in range(80))
    rows = shown(items, 400)
    assert all(f"item {depth}" in row for depth, row in enumerate(rows))

    assert shown("![" * 2_000 + "x", 5_000) == ["![" * 2_000 + "x"]


def test_marks_do_not_pile_up_on_a_character_through_markup() -> None:
    rows = shown("a" + "*\u0301*" * 30)
    assert not re.search("\u0301{11}", rows[0])


def test_looks_are_those_of_the_theme() -> None:
    text = "# H\n\n**b** `c`\n\n```python\ndef f(): pass  # note\n```"
    assert committed([text], 40) == [
        "\x1b[1;96;4mH\x1b[0m",
        "",
        "\x1b[1mb\x1b[0m \x1b[1;93mc\x1b[0m",
        "",
        "\x1b[2m```python\x1b[0m",
        "\x1b[95mdef\x1b[0m \x1b[94mf\x1b[0m(): \x1b[95mpass\x1b[0m  \x1b[2;3m# note\x1b[0m",
        "\x1b[2m```\x1b[0m",
    ]


def test_code_keeps_its_text_whatever_the_lexer_makes_of_it() -> None:
    lines = ["<a b='", "\tc", "  ", "'''", "$x = `y", "\\", "#!/bin/sh", "{{ {% }}"]
    for language in ("python", "html", "js", "c++", "diff", "console", "yaml", "json", "brainfuck"):
        expected = [f"```{language}", *(line.replace("\t", "    ") for line in lines), "```"]
        assert shown("\n".join([f"```{language}", *lines, "```"])) == expected


def test_no_color_leaves_bold_and_dim() -> None:
    plain = theme("dark", no_color=True)
    assert plain.look("heading", "heading-1") == ("1;4", "bold underline")
    assert plain.look("code-keyword") == ("", "")
    assert plain.paint("x", "fence") == "\x1b[2mx\x1b[0m"


def test_a_look_of_ones_own_replaces_the_themes() -> None:
    own = theme("light", {"heading": "bright-red", "link": "plain", "url": "italic #ff8800"})
    assert own.look("heading") == ("91", "fg:ansibrightred")
    assert own.look("link") == ("", "")
    assert own.look("url") == ("3;38;5;208", "italic fg:#ff8800")
    assert theme("auto", dark=False).look("heading") == theme("light").look("heading")


def test_every_name_has_a_look_in_every_theme() -> None:
    for name in ("auto", "dark", "light", "none"):
        chosen = theme(name)
        assert all(chosen.look(each) is not None for each in NAMES)
        assert set(chosen._looks) == set(NAMES)
