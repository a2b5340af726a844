"""Every hook a plugin may implement, one documented function each."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from cloudllm.provider import Provider

PROJECT = "cloudllm"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def cloudllm_providers() -> Sequence[Provider]:  # type: ignore[empty-body]
    """Return the providers this module offers.

    When: once, the first time a model of the provider is used; the module is imported then, not
    before. It is found through the entry-point group `cloudllm.providers`, whose entry points are
    named like the providers: a module with two providers has two entry points.

    Result: the list is filtered to the entry point's name; a list without it is the plugin's error.

    Who wins: a bundled name can't be taken. Of two third-party plugins with one name neither loads.

    An exception makes this provider unusable, is shown as one line, and harms nothing else.
    """
