"""The picker: narrowed by typing, moved by keys, readable at any size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import Layout
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.utils import get_cwidth

from cloudllm.errors import StoreError
from cloudllm.repl.choices import Choice
from cloudllm.repl.picker import Picker

UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = (
    "\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F",
)  # fmt: skip
TEN = [Choice(name=f"talk {at}", note=f"{at} turns", place=f"/home/{at}") for at in range(10)]


async def pressed(
    *keys: str,
    choices: Sequence[Choice] = TEN,
    size: tuple[int, int] = (80, 24),
    look: Callable[[Picker], None] = lambda _: None,
    peek: Callable[[int], str] = lambda at: f"the end of {at}",
) -> int | None:
    """Press keys, the last of which ends it, and look at the picker before that one."""

    async def peeked(at: int) -> str:
        return peek(at)

    with create_pipe_input() as pipe:
        picker = Picker(lambda: Size(size[1], size[0]), lambda: None)
        app: Application[None] = Application(
            layout=Layout(picker.window), key_bindings=picker.keys, input=pipe, output=DummyOutput()
        )
        app.ttimeoutlen = 0.01
        running = asyncio.ensure_future(app.run_async(set_exception_handler=False))
        picking = asyncio.ensure_future(picker.pick("Resume", choices, peeked))
        await asyncio.sleep(0)
        pipe.send_text("".join(keys[:-1]))
        await asyncio.sleep(0.12)
        look(picker)
        pipe.send_text(keys[-1])
        chosen = await asyncio.wait_for(picking, 5)
        app.exit()
        await running
        assert not picker.is_open
        return chosen


def shown(picker: Picker) -> list[str]:
    return "".join(text for _, text, *_ in picker._text()).split("\n")


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([], 0), ([DOWN, DOWN], 2), ([UP], 0), ([DOWN, UP], 0), ([END], 9), ([END, HOME], 0),
        ([PAGE_DOWN], 9), ([END, PAGE_UP], 0), (["\x0e", "\x0e", "\x10"], 1), (["7"], 7),
        (["tk8"], 8), (["zz", "\x7f\x7f"], 0), (["talk zz", "\x17", "3"], 3), (["zz", "\x15"], 0),
        (["\x1b[200~talk\n5\x1b[201~"], 5), ([DOWN, "talk"], 0),
    ],
)  # fmt: skip
async def test_keys_move_narrow_and_take(keys: list[str], chosen: int) -> None:
    assert await pressed(*keys, "\r") == chosen


@pytest.mark.parametrize("key", ["\x1b", "\x03", "\x04"])
async def test_it_can_be_left(key: str) -> None:
    assert await pressed(DOWN, key) is None


async def test_enter_takes_nothing_where_nothing_fits() -> None:
    def look(picker: Picker) -> None:
        assert "Nothing fits" in shown(picker)[1]

    assert await pressed("zz\r", "\x03", look=look) is None


@pytest.mark.parametrize("columns", [40, 41, 80, 200])
@pytest.mark.parametrize("rows", [9, 10, 13, 24, 50])
async def test_it_fits_any_screen_and_marks_what_is_chosen(columns: int, rows: int) -> None:
    wide = [Choice(name="漢字のとても長い題名" * 9, note="2 turns · today", place="/p" * 200)] * 99

    def look(picker: Picker) -> None:
        lines = shown(picker)
        assert len(lines) <= rows
        assert all(sum(map(get_cwidth, line)) <= columns for line in lines)
        assert [line[:1] for line in lines].count("▸") == 1
        assert lines[0].startswith("Resume: 漢")

    await pressed("漢", DOWN * 60, "\r", choices=wide, size=(columns, rows), look=look)


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (40, "▸ How the borrow checker reads a match …"),
        (50, "▸ How the borrow checker reads a match…  yesterday"),
        (80, "▸ How the borrow checker reads a match on a Box       12 turns · yesterday 09:30"),
    ],
)
async def test_a_title_has_more_right_to_the_row_than_what_stands_beside_it(
    columns: int, row: str
) -> None:
    title = "How the borrow checker reads a match on a Box"
    note, short = "12 turns · yesterday 09:30", "yesterday"
    choice = Choice(name=title, note=note, short=short, place="/home")
    brief = Choice(name="Bread", note=note, short=short, place="/home")

    def look(picker: Picker) -> None:
        lines = shown(picker)
        assert lines[1] == row
        assert lines[2] == f"  Bread{' ' * (columns - 7 - len(note))}{note}"
        assert (note in lines[4]) is (note not in row)

    await pressed("\r", choices=[choice, brief], size=(columns, 24), look=look)


async def test_words_narrow_it_in_any_order() -> None:
    names = ("Of rust and bread", "Bread", "Of bread and rust", "Bread and rust")
    choices = [Choice(name=name) for name in names]
    for typed in ("rust bread", "bread rust"):  # the best, and then the newest
        assert await pressed(typed, "\r", choices=choices) == 3
        assert await pressed(typed, DOWN, "\r", choices=choices) == 0
    assert await pressed("bread", "\r", choices=choices) == 1


async def test_the_list_follows_and_more_is_said_of_the_one_it_is_on() -> None:
    many = [Choice(name=f"talk {at}", note="1 turn", place="/home") for at in range(5_000)]
    asked: list[int] = []

    def peek(at: int) -> str:
        asked.append(at)
        return "a line\nand \x1b[2Jmore"

    def look(picker: Picker) -> None:
        lines = shown(picker)
        assert lines[0] == "Resume:    5,000 of 5,000"
        assert lines[12].startswith("▸ talk 14 ")
        assert lines[12].endswith("1 turn")
        assert lines[14:16] == ["/home", "a line and ␛[2Jmore"]

    assert await pressed(DOWN * 14, "\r", choices=many, look=look, peek=peek) == 14
    assert asked == [14]


async def test_G6_names_cannot_touch_the_terminal() -> None:
    bad = [Choice(name="a\x1b[2Jb\nc\u202e", note="\x07", place="\x9b")]

    def look(picker: Picker) -> None:
        text = "".join(shown(picker))
        assert text.isprintable()
        assert "␛" in text

    await pressed("a", "\x1b[200~\x07\x1b[201~", "\x03", choices=bad, look=look)


async def test_what_cannot_be_peeked_at_can_be_taken() -> None:
    def peek(at: int) -> str:
        raise StoreError("the disk is full")

    assert await pressed(DOWN, "\r", peek=peek) == 1
