"""A provider that is given as an object, among those installed; and the variables around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint

from cloudllm.plugins import PROVIDERS, Plugin, Plugins
from cloudllm.provider import Provider

_KEYS = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "MISTRAL_API_KEY",
    "DEEPSEEK_API_KEY", "GROQ_API_KEY", "XAI_API_KEY", "OPENROUTER_API_KEY", "TOGETHERAI_API_KEY",
    "TOGETHER_API_KEY", "PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY", "AZURE_API_KEY",
    "AZURE_OPENAI_API_KEY", "COHERE_API_KEY", "HF_TOKEN", "HUGGINGFACE_API_KEY", "LITELLM_API_KEY",
    "GITHUB_TOKEN",
)  # fmt: skip
_IDENTITIES = ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID")
_BASES = (
    "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE",
    "GEMINI_API_BASE", "AZURE_API_BASE", "OLLAMA_API_BASE", "LITELLM_PROXY_API_BASE",
)  # fmt: skip
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

CANARY = "kit-canary-"
"""How the value begins of every variable that is none of the provider's business."""


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment of a run.

    needed   variables for settings without which the provider can't make a client
    options  the same as fields of its settings model
    own      variables that may hold its key
    """

    needed: Mapping[str, str]
    options: Mapping[str, str]
    own: tuple[str, ...]

    def canaries(self, elsewhere: str) -> dict[str, str | None]:
        """What the environment holds while the kit runs: keys and addresses that are not for it.

        Its own variables hold something else than the key it is given, too.
        """
        names = (*_KEYS, *_IDENTITIES, *self.own)
        found: dict[str, str | None] = {name: CANARY + name.lower() for name in names}
        found |= dict.fromkeys(_BASES, elsewhere)
        found |= dict.fromkeys((*_PROXIES, *map(str.lower, _PROXIES)), None)
        return found


def environment(provider: Provider) -> Variables:
    """Invent a value for each setting that has none by default."""
    needed: dict[str, str] = {}
    options: dict[str, str] = {}
    model = provider.settings_model
    for name, variables in provider.settings_env.items():
        field = model.model_fields.get(name) if model else None
        if field is not None and variables and (field.is_required() or not field.default):
            options[name] = needed[variables[0]] = "kit"
    return Variables(needed, options, provider.key_env)


class GivenPlugins(Plugins):
    """What is installed, and one provider more, as a distribution named "given" would bring it."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    @cached_property
    def providers(self) -> dict[str, list[Plugin]]:
        """The given one takes its name, whoever has it."""
        point = EntryPoint(name=self._provider.name, value="given", group=PROVIDERS)
        mine = Plugin(point.name, PROVIDERS, point, "given")
        installed = super().providers
        return {**installed, self._provider.name: installed.get(self._provider.name) or [mine]}

    def provider(self, name: str) -> Provider:
        """The given one by its name, others as installed."""
        return self._provider if name == self._provider.name else super().provider(name)
