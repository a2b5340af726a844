"""Where a provider answers: base URLs as people and variables give them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from cloudllm.errors import ConfigurationError
from cloudllm.provider import Provider

# Where a server listens that listens everywhere, and where it is found on this machine.
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def checked(provider: Provider, url: str | None) -> str | None:
    """The base URL, complete and without a slash at its end.

    Raises:
        ConfigurationError: It can be no address; the message does not show a password in it.
    """
    if url is None:
        return None
    url = _completed(provider.api_base, url).rstrip("/")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, or a broken IPv6 address
        sound = False
    if not sound:
        shown = url.rpartition("@")[2].partition("?")[0]
        raise ConfigurationError(
            f"{provider.name}: {shown!r} is no address to reach a model at",
            advice="Give it as http://HOST:PORT/PATH or https://HOST/PATH",
        )
    return url


def shown(url: str | None) -> str | None:
    """The URL without what may be a secret in it: a name and a password, and what follows a `?`."""
    if url is None:
        return None
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def holds_password(url: str) -> bool:
    """Whether it names a user, as in `https://USER:PASSWORD@HOST`."""
    return "@" in urlsplit(url).netloc


def is_unencrypted(url: str) -> bool:
    """Whether others may read what is sent there: plain http to another machine."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a broken IPv6 address
        return False
    return parts.scheme == "http" and bool(parts.hostname) and not is_loopback(url)


def check_encrypted(provider: str, label: str, url: str) -> None:
    """Raise `ConfigurationError` if a key sent there could be read by others."""
    if is_unencrypted(url):
        host = urlsplit(url).netloc.rpartition("@")[2]
        raise ConfigurationError(
            f"the key of {label} would be sent unencrypted to {host}; nothing was sent",
            advice="Use https in api_base, or, if you trust the network all the way, set "
            f"allow_plain_http = true in [providers.{provider}]",
        )


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:  # a broken IPv6 address
        return False


def is_loopback_host(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return host == "localhost" or ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _completed(preset: str | None, url: str) -> str:
    """What is missing in the address of a server of one's own, as in `OLLAMA_HOST`.

    `HOST`, `HOST:PORT`, `:PORT`, or the `0.0.0.0` where such a server listens: the rest is as in
    the provider's own address, if that is on this machine.
    """
    if not preset or not is_loopback(preset):
        return url
    usual = urlsplit(preset)
    bare = "://" not in url
    try:
        given = urlsplit(f"//{url}" if bare else url, scheme=usual.scheme)
        port = given.port or (usual.port if bare else None)
    except ValueError:
        return url
    if given.username or not given.netloc or given.scheme not in ("http", "https"):
        return url
    host = _EVERYWHERE.get(given.hostname or "", given.hostname)
    host = f"[{host}]" if host and ":" in host else host
    path = given.path.rstrip("/") or (usual.path if bare else "")
    return f"{given.scheme}://{host}{f':{port}' if port else ''}{path}"
