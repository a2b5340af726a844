"""A model that its provider shuts down: one line, with the day and the provider's own suggestion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudllm import ModelInfo
from cloudllm.cli.compose import Options
from cloudllm.repl.chat import Chat
from cloudllm.repl.retirement import retirement_notice
from tests.repl.screens import FakeScreen

RETIRED = "gpt-4.1-nano was retired on 2026-10-23; openai suggests gpt-6-luna"


@pytest.fixture
def make_chat(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Chat]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")

    def make(toml: str = "") -> Chat:
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(toml)
        return Chat(Options().compose, {}, FakeScreen())

    return make


@pytest.mark.parametrize(
    ("days", "successor", "words"),
    [
        (-1, "new", "m was retired on {day}; acme suggests new"),
        (0, "new", "m was retired on {day}; acme suggests new"),
        (1, "new", "m will be retired on {day}; acme suggests new"),
        (30, None, "m will be retired on {day}; cloudllm models lists others"),
        (31, "new", None),
    ],
)
def test_the_line_names_the_day_and_the_successor(
    days: int, successor: str | None, words: str | None
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    notice = retirement_notice(ModelInfo(name="m", retires=day), "acme", successor)
    assert notice == (words and words.format(day=day))


def test_a_model_without_an_end_has_no_line() -> None:
    assert retirement_notice(ModelInfo(name="m"), "acme", "new") is None


async def test_it_is_said_once_and_the_model_stays_the_one_asked_for(
    make_chat: Callable[..., Chat],
) -> None:
    made = make_chat('model = "openai/gpt-4.1-nano"\n[aliases]\nold = "gpt-4.1-nano"\n')
    await made.start()
    session = await made.connect()
    assert session.client.model == "gpt-4.1-nano"
    assert made.screen.notices == [RETIRED]  # type: ignore[attr-defined]
    await made.use_model("old")
    await made.use_model("openai/gpt-6-luna")
    await made.use_model("openai/gpt-4.1-nano")
    assert made.screen.notices == [RETIRED]  # type: ignore[attr-defined]


async def test_another_service_does_not_inherit_it(make_chat: Callable[..., Chat]) -> None:
    own = '[providers.work]\nextends = "openai"\napi_base = "http://127.0.0.1:1/v1"\n'
    made = make_chat(f'model = "work/gpt-4.1-nano"\n{own}')
    await made.start()
    await made.connect()
    assert made.screen.notices == []  # type: ignore[attr-defined]
