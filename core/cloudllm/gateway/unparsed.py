"""Keeps litellm's import from reading, and writing again, the two megabytes of a tokenizer.

Each of the two holds up every other thread, and with them the keys that are typed meanwhile, for
some 60 ms (litellm 1.106, `litellm/utils.py`: `json.dumps(json.load(...))` of a file that is JSON
already). Nothing that we call needs more than the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

_FILE = "anthropic_tokenizer.json"


class _Text(str):
    """What stands in the file, for the value that it means."""

    __slots__ = ()


@contextmanager
def tokenizer() -> Iterator[None]:
    """While this lasts, `json.load` gives that file's text and `json.dumps` gives it back."""
    load, dumps = json.load, json.dumps

    def load_text(file: Any, **options: Any) -> Any:  # noqa: ANN401 - its signature
        is_it = PurePath(str(getattr(file, "name", ""))).name == _FILE
        return _Text(file.read()) if is_it else load(file, **options)

    def dump_text(value: Any, **options: Any) -> str:  # noqa: ANN401 - its signature
        return str(value) if isinstance(value, _Text) else dumps(value, **options)

    json.load = load_text  # type: ignore[assignment]
    json.dumps = dump_text  # type: ignore[assignment]
    try:
        yield
    finally:
        json.load, json.dumps = load, dumps
