"""`/model` alone lists what could answer next, and nothing that could not."""

from __future__ import annotations

import pytest

from tests.repl.screens import Talk


async def test_the_models_of_providers_at_hand_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    said = (await Talk().say("/model")).split("\n")
    assert said[0] == "model    echo/echo"
    listed = [line.strip() for line in said if line.startswith("   ")]
    assert "local/smollm2" in listed
    assert sum(line.startswith("openai/") for line in listed) == 8
    assert not any(line.startswith(("anthropic/", "echo/echo", "groq/")) for line in listed)
    assert any(line.endswith("more of openai: Tab completes names") for line in listed)
    assert said[-1].endswith("cloudllm models")
