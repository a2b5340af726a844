"""Echo: no language model at all, but a whole conversation offline, for trying things out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloudllm import (
    Client,
    ModelInfo,
    Provider,
    ProviderSettings,
    Request,
    Role,
    StreamEnded,
    StreamEvent,
    TextDelta,
    UnknownModel,
    hookimpl,
)

_INTRODUCTION = "\n\n(I am echo: no language model, only your own words back.)"


class EchoSettings(BaseModel):
    """The table `[providers.echo]`; `delay` is the pause before each word, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay: Annotated[float, Field(ge=0, le=60)] = 0.0


class EchoBackend:
    """Says the newest user message again; its first reply says what it is."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        """Yield it word by word if there is a delay; nothing was tokenised, so there is no usage.

        The longest answer is counted in words.
        """
        spoken = [message for message in request.messages if message.role is Role.USER]
        text = f"You said: {spoken[-1].content}" + (_INTRODUCTION if len(spoken) == 1 else "")
        words = re.findall(r"\s*\S+", text)
        cut = request.max_output_tokens is not None and len(words) > request.max_output_tokens
        if cut:
            words = words[: request.max_output_tokens]
            text = "".join(words)
        if not self._delay:
            yield TextDelta(text)
        for word in words if self._delay else ():
            await asyncio.sleep(self._delay)
            yield TextDelta(word)
        yield StreamEnded("length" if cut else "stop")


class EchoProvider(Provider):
    """Knows its one model, and brings a backend of its own."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client; raises `UnknownModel` for any model but `echo`."""
        if model != self.default_model:
            raise UnknownModel(
                f"{self.name} has no model {model!r}", advice=f"Use {self.name}/echo"
            )
        options = settings.options
        delay = options.delay if isinstance(options, EchoSettings) else 0.0
        return replace(super().client(model, settings), backend=EchoBackend(delay))


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Echo under its own name."""
    return [
        EchoProvider(
            name="echo",
            label="Echo (no language model)",
            offline=True,
            invitation="try echo: it repeats your own words",
            free=True,
            default_model="echo",
            models=(ModelInfo(name="echo", reasoning=False),),
            settings_model=EchoSettings,
        )
    ]
