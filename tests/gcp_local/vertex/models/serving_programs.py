"""Programs that tests put in place of a serving container's."""

from __future__ import annotations

ECHO = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(200 if self.path == os.environ["AIP_HEALTH_ROUTE"] else 404, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != os.environ["AIP_PREDICT_ROUTE"]:
            return self.reply(404, b"no such route")
        kind = self.headers["content-type"]
        if kind != "application/json":
            said = f"{kind} {self.headers.get('x-mark', '-')} ".encode()
            return self.reply(200, said + body[::-1], "application/octet-stream")
        said = json.loads(body)
        first = (said["instances"] or [None])[0]
        if isinstance(first, dict) and "status" in first:
            return self.reply(first["status"], b'{"error": "as you wish"}')
        if isinstance(first, dict) and "sleep" in first:
            time.sleep(first["sleep"])
        if isinstance(first, dict) and "say" in first:
            return self.reply(200, first["say"].encode())
        if isinstance(first, dict) and "drip" in first:
            self.send_response(200)
            self.end_headers()
            for _ in range(first["drip"]):
                self.wfile.write(b" ")
                time.sleep(0.1)
            return
        if isinstance(first, dict) and "flood" in first:
            return self.reply(200, b"x" * first["flood"])
        if first == "die":
            os._exit(3)
        if first == "speechless":
            return self.reply(200, b'{"answers": []}')
        if first == "environment":
            told = {k: v for k, v in os.environ.items() if k.startswith(("AIP_", "MY_"))}
            return self.reply(200, json.dumps({"predictions": [told]}).encode())
        answer = {"predictions": [[sys.argv[1], each] for each in said["instances"]],
                  "metadata": said.get("parameters")}
        self.reply(200, json.dumps(answer).encode())

    def reply(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-served-by", sys.argv[1])
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
"""
"""Serves what it is asked, marked with its first argument; misbehaves where an instance says so."""

COMPLAINT = "the model is made of cheese"
BROKEN = f"import sys; sys.exit({COMPLAINT!r})"
DEAF = "import time; print('listening to nobody', flush=True); time.sleep(60)"

GATED = f"""
import os, time
while not os.path.exists(os.environ["MY_GATE"]):
    time.sleep(0.02)
{ECHO}
"""
"""Serves as ECHO does, once the file that MY_GATE names is there."""
