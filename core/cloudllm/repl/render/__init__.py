"""From a stream of foreign text to rows that are safe to show on a terminal."""

from threading import Thread


def preload() -> None:
    """Start to import what Markdown and code need in a background thread; returns at once."""
    Thread(target=_load, name="cloudllm-markdown", daemon=True).start()


def _load() -> None:
    import pygments.lexers  # noqa: PLC0415 - not before the first prompt

    from cloudllm.repl.render import markdown, parser  # noqa: PLC0415 - see above

    _ = pygments.lexers, markdown
    parser.parse(["warm\n"], {})
