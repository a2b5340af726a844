"""Redirects: none is followed, wherever it leads."""

from __future__ import annotations

from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Reply

_CHAT = "/chat/completions"


def _leads(name: str, what: str, location: str, status: int = 307) -> Fault:
    answer = Reply.redirect(location, status)
    return Fault(id=name, what=f"{status} {what}", answer=answer, says="redirect")


FAULTS = (
    _leads("redirect-other-host", "to another host", f"{{other}}{_CHAT}"),
    _leads("redirect-301", "to another host", f"{{other}}{_CHAT}", 301),
    _leads("redirect-302", "to another host", f"{{other}}{_CHAT}", 302),
    _leads("redirect-303", "to another host", f"{{other}}{_CHAT}", 303),
    _leads("redirect-308", "to another host", f"{{other}}{_CHAT}", 308),
    _leads("redirect-loop", "to itself", f"/v1{_CHAT}"),
    _leads("redirect-relative", "to a path beside it", "completions"),
    _leads("redirect-no-host", "to no host", "//"),
    _leads("redirect-file", "to a file", "file:///etc/passwd"),
    _leads("redirect-nowhere", "to nothing", ""),
    _leads("redirect-junk", "to an address that is none", "http://[::1/\x01"),
    _leads(
        "redirect-login",
        "to an address with a password",
        "http://user:word@login.invalid/?key={key}",
    ),
    Fault(
        id="redirect-no-location",
        what="302 without saying where",
        answer=Reply(status=302, body=""),
        says="redirect",
    ),
    Fault(
        id="redirect-choice",
        what="300: choose one yourself",
        answer=Reply(status=300, body="", headers={"location": "{other}"}),
        says="redirect",
    ),
)
