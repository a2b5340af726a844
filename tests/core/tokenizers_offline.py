"""Real tokenizers, from the files that litellm brings along: no download, for tests only."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import tiktoken
import tokenizers

NAMES = ("o200k_base", "cl100k_base", "anthropic (old)")


@cache
def tokenizer(name: str) -> Callable[[str], int]:
    """Counts the tokens of a text as that tokenizer does."""
    if name == "anthropic (old)":
        old = tokenizers.Tokenizer.from_file(str(_folder() / "anthropic_tokenizer.json"))
        return lambda text: len(old.encode(text).ids)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(_folder())
    encoding = tiktoken.get_encoding(name)
    return lambda text: len(encoding.encode_ordinary(text))


def _folder() -> Path:
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
