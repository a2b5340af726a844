"""Makes real databases of simonw/llm: two of its versions, a model that only echoes, and a script.

    python -m tests.core.importing.making FOLDER

installs both versions with pip and leaves FOLDER/old.db (the tables before 0.32) and FOLDER/both.db
(the same one used on by a newer version).
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import venv
from pathlib import Path
from zlib import compress, crc32

OLD = ("llm==0.27", "openai<2", "httpx")
NEW = ("llm==0.36",)

PLUGIN = """
import llm

try:
    from llm.parts import StreamEvent
except ImportError:
    StreamEvent = None


class Parrot(llm.Model):
    model_id = "parrot"
    can_stream = True
    supports_tools = True
    attachment_types = {"image/png"}

    def execute(self, prompt, stream, response, conversation=None):
        said = prompt.prompt or ""
        details = {"prompt_tokens_details": {"cached_tokens": 1}}
        response.set_usage(input=len(said.split()), output=3, details=details)
        if prompt.tool_results:
            yield "It is " + prompt.tool_results[0].output
        elif said.startswith("use"):
            call = llm.ToolCall(name="count", arguments={"text": said}, tool_call_id="call-1")
            response.add_tool_call(call)
            yield "Let me count."
        else:
            if said.startswith("think") and StreamEvent is not None:
                yield StreamEvent(type="reasoning", chunk="Hmm, a hard one.")
            yield "You said: " + said


def count(text: str) -> str:
    "Count the words"
    return str(len(text.split()))


@llm.hookimpl
def register_models(register):
    register(Parrot())


@llm.hookimpl
def register_tools(register):
    register(count)
"""

BRANCHES = """
import sys
import llm, sqlite_utils
from llm.logs import LogStore

database = sqlite_utils.Database(sys.argv[1])
store = LogStore(database)
(thread,) = database.query("SELECT * FROM threads WHERE name = 'think about it'")
first = database["turns"].rows_where("thread_id = ?", [thread["id"]], order_by="id")
tip = next(first)["tip_message_hash"]

fork = store.fork(tip, name="the fork", forked_from=thread["id"])
store.append(fork, [llm.user("what if"), llm.assistant("Then this.")])

before = store.load_chain(tip)
response = llm.get_model("parrot").prompt("next, asked again", messages=before)
response.text()
store.log(response, thread["id"])

store.ensure_chain([llm.user("on the loose"), llm.assistant("In no thread.")])
"""


class Installed:
    """A virtual environment with a version of llm, and the folder in which it keeps its log."""

    def __init__(self, environment: Path, requirements: tuple[str, ...], user: Path) -> None:
        venv.create(environment, with_pip=True)
        self._bin = environment / "bin"
        self._user = user
        user.mkdir(exist_ok=True)
        self._run("python", "-m", "pip", "install", "--quiet", *requirements)
        site = Path(self._run("python", "-c", "import llm; print(llm.__path__[0])")).parent
        (site / "llm_parrot.py").write_text(PLUGIN)
        information = site / "llm_parrot-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: llm-parrot\nVersion: 1\n"
        )
        (information / "entry_points.txt").write_text("[llm]\nparrot = llm_parrot\n")

    @property
    def log(self) -> Path:
        return self._user / "logs.db"

    def ask(self, *arguments: str, model: str = "parrot") -> None:
        self._run("llm", "--no-stream", "-m", model, *arguments)

    def go_on(self, *arguments: str) -> None:
        self.ask("-c", *arguments)

    def branch(self) -> None:
        self._run("python", "-c", BRANCHES, str(self.log))

    def _run(self, program: str, *arguments: str) -> str:
        environment = {**os.environ, "LLM_USER_PATH": str(self._user)}
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(
            command, env=environment, text=True, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stdout[-2000:]}")
        return done.stdout.strip()


def talk_in_old(llm: Installed, things: Path) -> None:
    """8 replies in 5 conversations."""
    text, picture = _things(things)
    llm.ask("hello there")
    llm.go_on("and again")
    llm.ask("-f", text, "--sf", text, "what is it")
    llm.ask("-a", picture, "look")
    llm.ask("-T", "count", "use the tool")
    llm.go_on("after the tool")
    llm.ask("-s", "Be brief", "second talk")
    llm.go_on("-s", "Be long", "more")


def talk_in_new(llm: Installed, things: Path) -> None:
    """3 replies in 2 of the old conversations, 8 in 4 new ones, a fork, and two loose messages."""
    text, picture = _things(things)
    llm.go_on("gone on with")
    llm.ask("--cid", _conversation(llm.log, "use the tool"), "and on")
    llm.ask("--cid", _conversation(llm.log, "use the tool"), "and on and on")
    llm.ask("-s", "Be new", "think about it")
    llm.go_on("next")
    llm.branch()
    llm.ask("-f", text, "--sf", text, "what is it now")
    llm.ask("-a", picture, "look now")
    llm.ask("-T", "count", "use the new tool")
    llm.go_on("thanks")


def _things(folder: Path) -> tuple[str, str]:
    text, picture = folder / "fragment.txt", folder / "dot.png"
    text.write_text("a fragment")
    header = b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"
    chunks = ((b"IHDR", header), (b"IDAT", compress(b"\0\0")), (b"IEND", b""))
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks))
    return str(text), str(picture)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + crc32(kind + data).to_bytes(4)


def _conversation(log: Path, name: str) -> str:
    connection = sqlite3.connect(log)
    (found,) = connection.execute("SELECT id FROM conversations WHERE name = ?", (name,)).fetchone()
    connection.close()
    return str(found)


def _keep(log: Path, copy: Path) -> None:
    """A copy in small pages, which does not tell on whose machine it was made."""
    connection = sqlite3.connect(log)
    for table, column in (("fragments", "source"), ("attachments", "path")):
        change = f"UPDATE {table} SET {column} = replace({column}, ?, '/home/me')"
        connection.execute(change, (str(log.parent.parent),))
    connection.commit()
    connection.execute("PRAGMA page_size = 512")
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()


def make(folder: Path) -> None:
    """Leave both databases in the folder."""
    work = folder / "work"
    work.mkdir(parents=True)
    old = Installed(work / "old", OLD, work / "user")
    talk_in_old(old, work)
    _keep(old.log, folder / "old.db")
    talk_in_new(Installed(work / "new", NEW, work / "user"), work)
    _keep(old.log, folder / "both.db")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
