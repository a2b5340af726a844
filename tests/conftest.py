"""Keeps every test off the developer's machine: no home, no keys, no colours, no width of theirs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

_FOREIGN = (
    "CLOUDLLM_", "OPENAI_", "OPEN_AI_", "ANTHROPIC_", "CLAUDE_", "LITELLM_", "XDG_",
    "GEMINI_", "GOOGLE_", "XAI_", "GROK_", "OPENROUTER_", "MISTRAL_", "DEEPSEEK_", "GROQ_",
    "TOGETHER", "PERPLEXITY_", "PPLX_", "AZURE_", "AWS_", "VERTEXAI_", "OLLAMA_", "LM_",
    "LLAMA_CPP_", "VLLM_", "HOSTED_VLLM_",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
    "NO_COLOR", "COLUMNS", "LINES", "EDITOR", "VISUAL", "SSL_VERIFY",
)  # fmt: skip


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs under test: a shell starts background jobs deaf to it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest: beside them the others are done, and not after."""
    patience: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        patience[item.path] = max(patience.get(item.path, 0), mark.args[0] if mark else 0)
    items.sort(key=lambda item: -patience[item.path])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh `CLOUDLLM_HOME`; the folder is made only when the program makes it."""
    for name in os.environ:
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    folder = tmp_path / "cloudllm-home"
    monkeypatch.setenv("CLOUDLLM_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder
