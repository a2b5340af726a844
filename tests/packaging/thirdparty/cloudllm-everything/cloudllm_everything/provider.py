"""The hook `cloudllm_providers`: a parrot that runs in this process, reasons and counts words."""

from collections.abc import AsyncIterator
from dataclasses import replace

from cloudllm import (
    Client,
    Provider,
    ProviderSettings,
    ReasoningDelta,
    Request,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Usage,
    hookimpl,
)


class Parrot:
    """Says the newest message again."""

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        """Yield its reasoning, then the text, then how it ended."""
        text = request.messages[-1].content
        yield ReasoningDelta("What was that?")
        yield TextDelta(text)
        words = len(text.split())
        yield StreamEnded("stop", Usage(input_tokens=words, output_tokens=words))


class ParrotProvider(Provider):
    """Brings its backend."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client."""
        return replace(super().client(model, settings), backend=Parrot())


@hookimpl
def cloudllm_providers():
    """Offer the parrot."""
    return [ParrotProvider(name="parrot", label="Parrot", default_model="grey")]
