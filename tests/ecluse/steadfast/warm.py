"""A warm parent: a process that has imported everything, and forks a child for each command.

    python -m tests.ecluse.steadfast.warm

It reads orders, one line of JSON each, and answers each with a line:

    {"start": ["promote", …], "folder": "…", "environment": {…}, "patience": {…},
     "strike": {"of": "tags", "number": 7, "when": "after", "signal": 9}}   →  {"pid": 4711}
    {"wait": 4711}                  →  {"code": 0}, or -9 for one that SIGKILL ended

A child is the command line as anybody runs it, but for two things: it lacks the patience to wait
long between tries, and its HTTP transport notes each call in FOLDER/calls, and sends the child a
signal before or after one of them: the seventh of those that hold `tags`, in their first line or in
the beginning of their body. The parent has no threads and no connections.
"""

import gc
import importlib
import json
import os
import pkgutil
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import requests

import ecluse
from ecluse.cloud import calls

_BEGINNING = 300  # bytes of a body: where an upload names its object


def import_everything() -> None:
    """Import all that a command may import, so that no child has to."""
    for module in pkgutil.walk_packages(ecluse.__path__, "ecluse."):
        if not module.name.endswith(("__main__", "compile_worker")):
            importlib.import_module(module.name)


def watch_calls(folder: Path, strike: dict[str, Any]) -> None:
    """Note each call over HTTP, and send this process a signal before or after one of them."""
    send = requests.adapters.HTTPAdapter.send
    counting = threading.Lock()
    notes = os.open(folder / "calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    count = 0

    def watched(self: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal count
        line = f"{request.method} {request.path_url}"
        body = request.body[:_BEGINNING] if isinstance(request.body, bytes) else b""
        strikes = False
        with counting:
            os.write(notes, f"{line}\n".encode())
            if strike and strike["of"] in f"{line} {body.decode(errors='replace')}":
                count += 1
                strikes = count == strike["number"]
        # Sent to this very thread, since it would go on while another one takes the signal.
        if strikes and strike["when"] == "before":
            signal.pthread_kill(threading.get_ident(), strike["signal"])
        answer = send(self, request, *arguments, **named)
        if strikes and strike["when"] == "after":
            signal.pthread_kill(threading.get_ident(), strike["signal"])
        return answer

    requests.adapters.HTTPAdapter.send = watched  # type: ignore[method-assign]


def be_the_command(order: dict[str, Any]) -> NoReturn:
    """Run a command in a child, and end."""
    code = 70
    try:
        folder = Path(order["folder"])
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.environ.update(order["environment"])
        random.seed()
        calls.PATIENCE = calls.Patience(**order["patience"])
        watch_calls(folder, order["strike"] or {})
        sys.argv = ["ecluse", *order["start"]]
        from ecluse.cli import main

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Do what is ordered until nobody orders any more."""
    import_everything()
    assert threading.active_count() == 1, "a child would lack the parent's threads"
    gc.collect()
    gc.freeze()  # a child that collects garbage need not copy all that was imported
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            children.discard(order["wait"])
            answer = {"code": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                be_the_command(order)
            children.add(pid)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
