"""What an imported plugin implements, and in words what is wrong with it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from types import FunctionType, ModuleType
from typing import Any

import pluggy

from cloudllm import hookspecs
from cloudllm.errors import PluginError
from cloudllm.plugins.discovery import PROVIDERS, SESSIONS, Plugin
from cloudllm.provider import Provider
from cloudllm.words import one_line

_PREFIX = "cloudllm_"
_VERSION = "cloudllm_api"
_PROVIDERS_HOOK = "cloudllm_providers"
_ALIKE = 0.8

HOOKS: dict[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(value).parameters)
    for name, value in vars(hookspecs).items()
    if name.startswith(_PREFIX) and inspect.isfunction(value)
}
"""Every hook with its arguments."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """A plugin's own version of a hook; `rank` says whether it wants to be first or last."""

    hook: str
    function: Callable[..., object]
    taken: tuple[str, ...]
    named: tuple[str, ...]
    rank: int

    def __call__(self, **arguments: object) -> object:
        """Call it with every argument of the hook; it gets those that it takes."""
        taken = [arguments[name] for name in self.taken]
        return self.function(*taken, **{name: arguments[name] for name in self.named})


@dataclass(frozen=True, slots=True)
class Registered:
    """The hooks of one plugin that can be called, and a line for each thing wrong with it."""

    hooks: dict[str, Implementation]
    complaints: tuple[str, ...]


def register(plugin: Plugin, module: object, groups: Collection[str]) -> Registered:
    """Find the plugin's hooks; `groups` are all those in which an entry point names the module.

    Raises:
        PluginError: it was written for other hooks than these; none of it may be used.
    """
    # A manager for each, since one module may offer two providers, and a chat's plugin besides.
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=plugin.key)
    except pluggy.PluginValidationError as error:
        last = one_line(str(error).rpartition("\n")[2])
        reason = next(_wrong_signatures(manager, module), f"a hook cannot be called: {last}")
        raise PluginError(f"plugin {plugin}: {reason}", advice=_advice(plugin)) from error
    hooks: dict[str, Implementation] = {}
    complaints = list(_unmarked(module))
    for caller in manager.get_hookcallers(module) or ():
        for implementation in caller.get_hookimpls():
            complaint = _complaint(caller, implementation, groups)
            if complaint:
                complaints.append(complaint)
            elif caller.has_spec():
                hooks[caller.name] = _made(caller.name, implementation)
    return Registered(hooks, tuple(complaints))


def offered_by(plugin: Plugin, registered: Registered) -> Provider:
    """Call the hook, and find the provider that bears the entry point's name.

    Raises:
        PluginError: there is none.
    """
    hook = registered.hooks.get(_PROVIDERS_HOOK)
    if hook is None and registered.complaints:
        raise PluginError(f"plugin {plugin}: {registered.complaints[0]}", advice=_advice(plugin))
    offered = hook() if hook is not None else ()
    if not isinstance(offered, Iterable) or isinstance(offered, str):
        kind = type(offered).__name__
        raise PluginError(
            f"plugin {plugin}: {_PROVIDERS_HOOK} gave {kind}, no list of providers",
            advice=_advice(plugin),
        )
    offers = list(offered)
    for provider in offers:
        if isinstance(provider, Provider) and provider.name == plugin.name:
            return provider
    names = ", ".join(str(getattr(offer, "name", offer)) for offer in offers) or "none"
    raise PluginError(
        f"plugin {plugin}: {_PROVIDERS_HOOK}() offers no provider named {plugin.label!r}"
        f" (it offers: {one_line(names)})",
        advice="The entry point must be named like the provider",
    )


def check_version(plugin: Plugin, loaded: object) -> None:
    """Refuse a plugin that was written for another version of the hooks.

    Raises:
        PluginError: it says which side is to be updated.
    """
    module = loaded if hasattr(loaded, _VERSION) else sys.modules.get(plugin.module)
    version, ours = getattr(module, _VERSION, hookspecs.API_VERSION), hookspecs.API_VERSION
    if version == ours and not isinstance(version, bool):
        return
    if not isinstance(version, int) or isinstance(version, bool):
        raise PluginError(
            f"plugin {plugin}: {_VERSION} must be a whole number, not {one_line(repr(version), 60)}",
            advice=f"This cloudllm offers version {ours}",
        )
    older = "cloudllm" if version > ours else plugin.distribution
    raise PluginError(
        f"plugin {plugin} was written for version {version} of cloudllm's hooks; this cloudllm"
        f" offers version {ours}",
        advice=f"Update {older}: pip install --upgrade {older}",
    )


def _complaint(
    caller: pluggy.HookCaller, implementation: pluggy.HookImpl, groups: Collection[str]
) -> str | None:
    """Why this implementation is not called, if it is not."""
    name = caller.name
    if not caller.has_spec():
        return None if implementation.optionalhook else f"there is no hook {name}{_meant(name)}"
    if implementation.wrapper or implementation.hookwrapper:
        return f"{name} is a wrapper, which cloudllm does not call; make it a plain hookimpl"
    if inspect.iscoroutinefunction(implementation.function):
        return f"{name} is async; a hook is a plain function, and may block"
    wanted = PROVIDERS if name == _PROVIDERS_HOOK else SESSIONS
    if wanted not in groups:
        return f"{name} is called only for an entry point in the group {wanted}"
    return None


def _made(name: str, implementation: pluggy.HookImpl) -> Implementation:
    parameters = inspect.signature(implementation.function).parameters.values()
    named = (each.name for each in parameters if each.kind is each.KEYWORD_ONLY)
    return Implementation(
        name,
        implementation.function,
        tuple(implementation.argnames),
        tuple(each for each in named if each in HOOKS[name]),
        -1 if implementation.tryfirst else int(implementation.trylast),
    )


def _wrong_signatures(manager: pluggy.PluginManager, module: object) -> Iterator[str]:
    """A line for each hook that takes an argument which the hook does not have."""
    for attribute in dir(module):
        options: Any = manager.parse_hookimpl_opts(module, attribute)
        hook = options and (options.get("specname") or attribute)
        if hook not in HOOKS:
            continue
        parameters = inspect.signature(getattr(module, attribute)).parameters.values()
        required = (each for each in parameters if each.default is each.empty)
        positional = (each.name for each in required if each.kind is not each.KEYWORD_ONLY)
        for name in positional:
            if name not in HOOKS[hook]:
                allowed = ", ".join(HOOKS[hook]) or "none"
                close = get_close_matches(name, HOOKS[hook], n=1)
                meant = f"; did you mean {close[0]}?" if close else ""
                yield f"{hook} has no argument {name!r}{meant} (its arguments: {allowed})"


def _unmarked(module: object) -> Iterator[str]:
    """A line for each function that looks like a hook but lacks the decorator."""
    home = module.__name__ if isinstance(module, ModuleType) else None
    for name in dir(module):
        if not name.startswith(_PREFIX) or name == _VERSION:
            continue
        value = inspect.getattr_static(module, name)
        marked = hasattr(value, f"{hookspecs.PROJECT}_impl")
        if not isinstance(value, FunctionType) or marked or home not in (None, value.__module__):
            continue
        if name in HOOKS:
            yield f"{name} lacks the decorator @hookimpl, so it is not called"
        elif get_close_matches(name, HOOKS, n=1, cutoff=_ALIKE):
            yield f"there is no hook {name}{_meant(name)}"


def _meant(name: str) -> str:
    close = get_close_matches(name, HOOKS, n=1)
    return f"; did you mean {close[0]}?" if close else f" (there are: {', '.join(HOOKS)})"


def _advice(plugin: Plugin) -> str:
    return f"cloudllm plugins show {plugin.label} tells more"
