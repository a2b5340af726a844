"""Loading litellm: late, in the background, offline, silent; each test in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def run(code: str, *options: str, **environment: str) -> str:
    """The standard output of a program that succeeds and has nothing on standard error."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_G1_importing_the_gateway_imports_no_litellm() -> None:
    heavy = "{'litellm', 'openai', 'httpx', 'aiohttp', 'pydantic'}"
    code = f"import sys, cloudllm, cloudllm.gateway; print({heavy} & {{*sys.modules}})"
    assert run(code) == "set()\n"


def test_preload_returns_at_once_and_leaves_everything_as_it_was() -> None:
    code = """
        import asyncio, gc, sys, time
        from cloudllm import gateway

        async def main():
            before = (gc.isenabled(), sys.getswitchinterval())
            began = time.perf_counter()
            gateway.preload()
            gateway.preload()
            print(time.perf_counter() - began < 0.1, gateway.loaded())
            await gateway.ready()
            await gateway.ready()
            print(gateway.loaded(), before == (gc.isenabled(), sys.getswitchinterval()))
            await gateway.close()

        asyncio.run(main())
    """
    assert run(code) == "True False\nTrue True\n"


def test_a_disabled_collector_stays_disabled() -> None:
    code = """
        import asyncio, gc
        from cloudllm import gateway
        gc.disable()
        asyncio.run(gateway.ready())
        print(gc.isenabled())
    """
    assert run(code) == "False\n"


def test_G2_loading_touches_no_network_and_no_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    code = """
        import asyncio, os, socket
        touched = []
        for name in ("connect", "connect_ex", "sendto"):
            setattr(socket.socket, name, lambda *a: touched.append(a))
        socket.getaddrinfo = lambda *a, **k: touched.append(a)
        os.chdir(os.environ["FOLDER"])
        from cloudllm import gateway
        asyncio.run(gateway.ready())
        print(touched, os.environ.get("FROM_DOTENV"))
    """
    assert run(code, FOLDER=str(tmp_path)) == "[] None\n"


def test_the_environment_cannot_switch_tls_off() -> None:
    code = """
        import asyncio, os, ssl
        from cloudllm.gateway import load
        engine = asyncio.run(load.engine())
        from litellm.llms.custom_httpx.http_handler import get_ssl_configuration
        print(get_ssl_configuration().verify_mode == ssl.CERT_REQUIRED, os.environ.get("SSL_VERIFY"))
    """
    assert run(code, SSL_VERIFY="False") == "True None\n"


def test_G7_the_environment_cannot_send_calls_elsewhere() -> None:
    code = """
        import asyncio, os
        from cloudllm import gateway
        from cloudllm.messages import Message, Role
        from cloudllm.provider import Client, Deadlines, Request
        from cloudllm.testing import WireServer

        async def main(server, other):
            os.environ["LITELLM_PROXY_API_BASE"] = other.url
            client = Client(provider="w", label="W", model="m", route="groq", api_base=server.url)
            request = Request(messages=(Message(Role.USER, "hi"),))
            async for _ in gateway.stream(client, request, Deadlines()):
                pass
            print(len(server.requests), len(other.requests))

        with WireServer() as server, WireServer() as other:
            asyncio.run(main(server, other))
    """
    assert run(code, USE_LITELLM_PROXY="true") == "1 0\n"


def test_an_import_that_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "litellm.py").write_text("raise ImportError('half\\ninstalled')\n")
    code = """
        import asyncio
        from cloudllm import gateway
        from cloudllm.errors import ConfigurationError
        for _ in range(2):
            try:
                asyncio.run(gateway.ready())
            except ConfigurationError as error:
                print(error, gateway.loaded())
    """
    line = (
        "litellm cannot be loaded (ImportError: half installed). Reinstall it, for example with: "
        "pip install --force-reinstall cloudllm False\n"
    )
    assert run(code, PYTHONPATH=str(tmp_path)) == line * 2


def test_a_cancelled_waiter_does_not_stop_the_loading() -> None:
    code = """
        import asyncio
        from cloudllm import gateway

        async def main():
            waiter = asyncio.create_task(gateway.ready())
            await asyncio.sleep(0.05)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
            await gateway.ready()
            print(waiter.cancelled(), gateway.loaded())

        asyncio.run(main())
    """
    assert run(code) == "True True\n"


def test_the_first_call_is_warm_and_clean_in_development_mode() -> None:
    code = """
        import asyncio, time
        from cloudllm import gateway
        from cloudllm.messages import Message, Role
        from cloudllm.provider import Client, Deadlines, Request
        from cloudllm.testing import WireServer

        async def main(server):
            await gateway.ready()
            for route, base in (("openai", server.url), ("anthropic", server.origin)):
                client = Client(provider="w", label="W", model="m", route=route, api_base=base)
                request = Request(messages=(Message(Role.USER, "hi"),))
                began = time.perf_counter()
                events = gateway.stream(client, request, Deadlines())
                await anext(events)
                print(time.perf_counter() - began < 0.15)
                async for _ in events:
                    pass

        with WireServer() as server:
            asyncio.run(main(server))
    """
    assert run(code, "-W", "error::ResourceWarning") == "True\nTrue\n"
