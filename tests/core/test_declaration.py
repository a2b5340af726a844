"""A provider's fields are checked when it is declared, in the words of its author."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from cloudllm import ModelInfo, Provider, declaration

SECRET = "sk-pasted-by-mistake"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", 5, "text"),
        ("label", None, "text"),
        ("api_base", 5, "text or None"),
        ("default_model", b"m", "text or None"),
        ("key_env", SECRET, "a tuple of texts"),
        ("key_env", None, "a tuple of texts"),
        ("base_env", (1,), "a tuple of texts"),
        ("models", None, "a tuple"),
        ("aliases", None, "a table of texts"),
        ("requires", ["x"], "a table of texts"),
        ("successors", {"old": None}, "a table of texts"),
        ("settings_env", {"region": "AWS_REGION"}, "a table with tuples of texts"),
        ("params", (), "a table"),
        ("settings_model", {}, "a pydantic model or None"),
        ("client_deadline", "60", "a number of seconds or None"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named_but_not_shown(
    field: str, value: object, expected: str
) -> None:
    given: dict[str, Any] = {"name": "acme", "label": "Acme", field: value}
    with pytest.raises(TypeError) as caught:
        Provider(**given)
    assert str(caught.value) == f"Provider: {field} must be {expected}"


def test_lists_will_do() -> None:
    given: dict[str, Any] = {"key_env": ["ACME_KEY"], "models": [ModelInfo(name="m")]}
    assert list(Provider(name="acme", label="Acme", **given).key_env) == ["ACME_KEY"]


def test_every_field_that_is_not_a_mere_switch_is_checked() -> None:
    checked = {name for _, names in declaration._KINDS.values() for name in names}
    switches = {each.name for each in fields(Provider) if each.type == "bool"}
    assert checked | switches == {each.name for each in fields(Provider)}
