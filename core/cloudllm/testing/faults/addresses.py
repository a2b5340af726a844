"""Faults that come before a request is read: of names, connections, proxies and TLS."""

from __future__ import annotations

from cloudllm.testing.faults.model import Fault, Place


def _at(name: str, place: Place, what: str, says: str, requests: int = 3) -> Fault:
    return Fault(id=name, place=place, what=what, says=says, requests=requests)


FAULTS = (
    _at("dns", "unresolved", "the host name does not resolve", "cannot resolve"),
    _at("refused", "refused", "nobody listens at the port", "refused the connection"),
    _at("closed-while-sending", "hasty", "hangs up while the request is being sent", "127.0.0.1"),
    _at("tls-to-plain", "plain", "https to a port that speaks http", "no secure connection", 1),
    _at("tls-no-cipher", "no-cipher", "TLS with nothing to agree on", "no secure connection", 1),
    _at(
        "tls-self-signed",
        "stranger",
        "TLS with the certificate of somebody else",
        "no secure connection",
        1,
    ),
    _at("proxy-refused", "proxy", "the proxy of HTTPS_PROXY is down", "HTTPS_PROXY", 2),
    Fault(
        id="plain-http-remote-key",
        place="afar",
        says="unencrypted",
        requests=1,
        exits=2,
        what="http to another machine: the key would be sent unencrypted",
    ),
    Fault(
        id="blackhole",
        place="full",
        says="timeout.connect",
        requests=2,
        by_deadline=True,
        what="a connection never comes about",
    ),
    Fault(
        id="never-reads",
        place="deaf",
        says="timeout.first_token",
        requests=2,
        by_deadline=True,
        what="accepts the connection and never reads",
    ),
)
