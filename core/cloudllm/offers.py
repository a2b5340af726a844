"""The models that `cloudllm models` lists: from what is known offline, or asked for now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudllm import modelname
from cloudllm.addresses import is_loopback
from cloudllm.errors import CloudLLMError, ConfigurationError
from cloudllm.gateway import catalogue
from cloudllm.provider import ModelInfo, Provider
from cloudllm.words import one_line

if TYPE_CHECKING:
    from cloudllm.live import LiveList
    from cloudllm.registry import Registry

_MOST_AT_ONCE = 16

Tell = Callable[[str], None]
"""Takes a line for the user about what could not be listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model as it is listed; `names` are those that it has beside its id."""

    provider: str
    info: ModelInfo
    default: bool = False
    names: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The model id."""
        return f"{self.provider}/{self.info.name}"

    @property
    def retired(self) -> bool:
        """Has its provider shut it down?"""
        return self.info.retires is not None and self.info.retires <= datetime.now(UTC).date()

    def matches(self, words: Iterable[str]) -> bool:
        """Does one of its names hold all of these words, in lower case?"""
        text = " ".join((self.id, *self.names)).lower()
        return all(word in text for word in words)

    def facts(self) -> dict[str, object]:
        """The model as JSON shows it; `null` is unknown."""
        info = self.info
        return {
            "id": self.id,
            "provider": self.provider,
            "model": info.name,
            "aliases": list(self.names),
            "default": self.default,
            "context_limit": info.context_limit,
            "output_limit": info.output_limit,
            "input_price": info.input_price,
            "output_price": info.output_price,
            "reasoning": info.reasoning,
            "vision": info.vision,
            "tools": info.tools,
            "retires": info.retires.isoformat() if info.retires else None,
            "retired": self.retired,
        }


class Offers:
    """Finds them; `tell` gets a line for each provider that cannot say what it has."""

    def __init__(self, registry: Registry, tell: Callable[[str], None]) -> None:
        self._registry = registry
        self._tell = tell

    def offline(self, name: str | None) -> list[Offer]:
        """All that is known without asking anyone: of one provider, or of every one."""
        found: list[Offer] = []
        for each in [name] if name else self._registry.names():
            try:
                provider = self._registry.provider(each)
                found += self._offered(provider, self._known(provider).values())
            except CloudLLMError as error:
                if each == name:
                    raise
                self._tell(str(error))
        return self._with_aliases(found, name, complete=True)

    def live(self, name: str | None) -> list[Offer]:
        """What services list now: of one provider, or of all that have a key or are at hand.

        Raises:
            CloudLLMError: nobody could be asked, or none of those asked answered.
        """
        asked = {name: False} if name else dict(self._askable())
        found: list[Offer] = []
        errors: list[CloudLLMError] = []
        for each, answer in self._ask(asked):
            if not isinstance(answer, CloudLLMError):
                found += self._listed(self._registry.provider(each), answer)
            elif not asked[each]:
                errors.append(answer)
        failure = None
        if not found and (errors or name is None):
            failure = errors.pop() if errors else _nobody()
        for error in errors:
            self._tell(str(error))
        if failure is not None:
            raise failure
        return self._with_aliases(found, name, complete=False)

    def _askable(self) -> Iterator[tuple[str, bool]]:
        """Whom to ask where nobody is named; and whether it may well not be there."""
        for each in self._registry.names():
            try:
                access = self._registry.access(each)
                near = is_loopback(access.api_base or "")
                if self._registry.provider(each).lists_models and (access.has_key or near):
                    yield each, not access.has_key
            except CloudLLMError as error:
                self._tell(str(error))

    def _ask(self, names: Iterable[str]) -> Iterator[tuple[str, LiveList | CloudLLMError]]:
        def ask(name: str) -> LiveList | CloudLLMError:
            try:
                return self._registry.live_models(name)
            except CloudLLMError as error:
                return error

        pool = ThreadPoolExecutor(_MOST_AT_ONCE)
        answers = {name: pool.submit(ask, name) for name in names}
        pool.shutdown(wait=False)  # Ctrl-C does not wait for who is still asked
        for name, answer in answers.items():
            yield name, answer.result()

    def _listed(self, provider: Provider, listed: LiveList) -> Iterator[Offer]:
        """What a service lists, with what is known of it where the service says nothing."""
        if listed.dropped:
            noun = "entry" if listed.dropped == 1 else "entries"
            self._tell(
                f"{provider.label}: {listed.dropped:,} {noun} of its list left out: no usable name"
            )
        known: Mapping[str, ModelInfo] = {}
        others: frozenset[str] = frozenset()
        if provider.is_at(self._registry.access(provider.name).api_base):
            known = self._known(provider)
            others = catalogue.service(provider.metadata_name).others
        chat = (info for info in listed.models if info.name not in others)
        yield from self._offered(
            provider, [catalogue.filled(info, known.get(info.name)) for info in chat]
        )

    def _known(self, provider: Provider) -> dict[str, ModelInfo]:
        plugins = self._registry.plugins
        plugin = plugins.plugin_of(self._registry.installed(provider.name)) or provider.name
        offered = plugins.guard(plugin, "telling its models", lambda: catalogue.offered(provider))
        return {info.name: info for info in offered}

    def _offered(self, provider: Provider, infos: Iterable[ModelInfo]) -> Iterator[Offer]:
        _, default = self._registry.resolve(f"{provider.name}/")
        names: dict[str, list[str]] = {}
        for alias, model in provider.aliases.items():
            names.setdefault(model, []).append(f"{provider.name}/{alias}")
        for info in infos:
            yield Offer(
                provider=provider.name,
                info=info,
                default=info.name == default,
                names=tuple(names.get(info.name, ())),
            )

    def _with_aliases(self, found: list[Offer], name: str | None, *, complete: bool) -> list[Offer]:
        """With the user's names for them; and, if that is to be `complete`, what else these mean."""
        places = {offer.id: place for place, offer in enumerate(found)}
        for alias in self._registry.aliases:
            try:
                provider, model = self._registry.resolve(alias)
            except CloudLLMError as error:
                self._tell(f"alias {alias}: {error}")
                continue
            if not provider.offline and model and (flaw := modelname.flaw(model)):
                self._tell(f"alias {alias}: {one_line(model, 80)!r} cannot be a model: {flaw}")
                continue
            meant = Offer(provider=provider.name, info=ModelInfo(name=model))
            if meant.id in places:
                meant = found[places[meant.id]]
            elif complete and model and name in (None, provider.name):
                places[meant.id] = len(found)
                found.append(meant)
            else:
                continue
            found[places[meant.id]] = replace(meant, names=(alias, *meant.names))
        return found


def _nobody() -> ConfigurationError:
    return ConfigurationError(
        "nobody to ask: no provider has a key, and no server on this machine answers",
        advice="Name one, as in cloudllm models --live -p ollama",
    )
