"""Whose a model is that is named without its provider: all that importing knows of providers."""

from __future__ import annotations

import re

# llm names the models of its own and of its early plugins without their maker ("gpt-4o-mini",
# "claude-3-opus"); later plugins put it first. What stands here are the prefixes under which the makers
# publish their models, and the names that LiteLLM has for the makers.
_MAKERS = (
    (re.compile(r"(gpt|chatgpt|text|davinci)-|o\d(-|$)"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gemini"),
    (re.compile(r"grok-"), "xai"),
)
_CHATGPT = "openai"  # its slugs are OpenAI's, also such as "auto" that no pattern can tell


def model_id(name: str) -> str:
    """`provider/model`, where the name of a model alone tells whose it is; else as it is."""
    if "/" in name or ":" in name:
        return name
    for pattern, provider in _MAKERS:
        if pattern.match(name):
            return f"{provider}/{name}"
    return name


def chatgpt_model_id(slug: str) -> str:
    """The same of a model that ChatGPT names; without a name there is none."""
    return slug if not slug or "/" in slug else f"{_CHATGPT}/{slug}"
