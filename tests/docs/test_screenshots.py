"""The pictures in docs/images show what the program shows today; tests.docs.screenshots makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.picture import LIGHT, text
from tests.docs.screenshots import IMAGES, SHOTS, Shot, take

_ROOT = Path(__file__).parents[2]
_PAGES = [_ROOT / "README.md", *(_ROOT / "docs").glob("*.md")]


def shown(svg: str) -> list[str]:
    """The rows of a picture; numbers and the width of gaps may differ from run to run."""
    return [re.sub(r"\d+", "0", " ".join(row.split())) for row in text(svg)]


def kept(name: str) -> str:
    return (IMAGES / f"{name}.svg").read_text(encoding="utf-8")


def test_there_is_a_picture_for_each_shot_and_no_other() -> None:
    assert {file.stem for file in IMAGES.iterdir()} == {shot.name for shot in SHOTS}


def test_each_picture_stands_in_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in _PAGES)
    assert [shot.name for shot in SHOTS if f"images/{shot.name}.svg" not in pages] == []


@pytest.mark.parametrize("shot", [each for each in SHOTS if each.palette is LIGHT], ids=str)
def test_the_light_one_shows_the_same_as_the_dark(shot: Shot) -> None:
    assert shown(kept(shot.name)) == shown(kept(shot.name.replace("light", "dark")))


@pytest.mark.slow
@pytest.mark.parametrize("shot", [each for each in SHOTS if each.palette is not LIGHT], ids=str)
def test_a_picture_shows_what_the_program_shows(shot: Shot, tmp_path: Path) -> None:
    assert shown(take(shot, tmp_path)) == shown(kept(shot.name))
