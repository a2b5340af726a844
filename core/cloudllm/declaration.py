"""Checks the fields that a provider declares, so that its author hears of a slip at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def check(declared: object) -> None:
    """Check the fields of a `Provider`.

    Raises:
        TypeError: One of them is not of its kind. What it holds is not shown: it may be a key.
    """
    for expected, (fits, names) in _KINDS.items():
        for name in names:
            if not fits(getattr(declared, name)):
                raise TypeError(f"Provider: {name} must be {expected}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, tuple | list)


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple | list) and all(map(_is_text, value))


def _maps(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(key) and fits(inner) for key, inner in value.items()
    )


_KINDS: Mapping[str, tuple[Callable[[object], bool], tuple[str, ...]]] = {
    "text": (_is_text, ("name", "label", "key_header")),
    "text or None": (
        _is_text_or_none,
        (
            "litellm_route", "api_base", "key_url", "default_model", "metadata", "model_list",
            "start_hint", "invitation",
        ),
    ),
    "a tuple of texts": (_are_texts, ("key_env", "key_prefix", "base_env", "hosts")),
    "a tuple": (_is_list, ("models", "known_gaps")),
    "True or False": (
        lambda value: isinstance(value, bool),
        ("key_optional", "own_credentials", "offline", "free"),
    ),
    "a table of texts": (
        lambda value: _maps(value, _is_text),
        ("list_headers", "successors", "aliases", "requires"),
    ),
    "a table with tuples of texts": (lambda value: _maps(value, _are_texts), ("settings_env",)),
    "a table": (lambda value: _maps(value, lambda _: True), ("params",)),
    "a pydantic model or None": (
        lambda value: value is None or hasattr(value, "model_validate"),
        ("settings_model",),
    ),
    "a number of seconds or None": (
        lambda value: value is None or isinstance(value, int | float),
        ("client_deadline",),
    ),
}  # fmt: skip
