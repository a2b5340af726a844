"""Names of models: what is refused before anything is sent, and what services really call them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cloudllm.errors import ConfigurationError
from cloudllm.registry import Registry

KEY = "sk-name-canary"


@contextmanager
def _refused(name: str) -> Iterator[None]:
    with pytest.raises(ConfigurationError) as caught:
        yield
    assert "cannot be a model of" in str(caught.value)
    assert str(caught.value).isprintable(), name


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a\tb",
        "a\nb",
        "a\x1b[31m",
        "../x",
        "a/../../x",
        "a/%2e%2E/x",
        "x?key=1",
        "x#y",
        "a\\b",
    ],
)
def test_what_cannot_be_a_model_is_refused_before_any_request(name: str) -> None:
    with _refused(name):
        Registry(environ={"OPENAI_API_KEY": KEY}).client(f"openai/{name}")


@pytest.mark.parametrize("name", ["meta-llama/llama-4:free", "@cf/x", "arn:aws:x/y-1.0", "~x/y"])
def test_what_services_call_their_models_is_accepted(name: str) -> None:
    assert Registry(environ={"OPENAI_API_KEY": KEY}).client(f"openai/{name}").model == name


def test_a_backend_in_this_process_has_names_of_its_own(install: Callable[..., str]) -> None:
    install(
        "inner",
        "from dataclasses import replace\n"
        "from cloudllm import Provider, hookimpl\n"
        "class Inner(Provider):\n"
        "    def client(self, model, settings):\n"
        "        return replace(super().client(model, settings), backend=object())\n"
        "@hookimpl\n"
        "def cloudllm_providers():\n"
        "    return [Inner(name='inner', label='Inner')]\n",
    )
    assert Registry().client("inner/my models/../x.gguf").model == "my models/../x.gguf"
    with _refused("control"):
        Registry().client("inner/a\x00b")
