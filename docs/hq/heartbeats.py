#!/usr/bin/env python3
"""Receive heartbeats of tills behind routers ([heartbeat] in their settings), and alarm when one falls silent.

SECRET=... python3 heartbeats.py --state heartbeats.json --certificate cert.pem --key key.pem --command ./mail-somebody

POST to --port, of tills: signed with the secret they all have. GET on --status-port, of this machine: / as JSON, worst
first; /metrics for Prometheus. --command gets a JSON object on its standard input, once when a till falls silent and
once when it is back. Debian's python3 and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LARGEST = 16 * 1024  # bytes of a heartbeat
TOLERANCE = 300  # seconds that the clock of a till that begins anew may be off
KEEP_SECONDS = 10  # between two writes of the state: 3,000 tills send 50 heartbeats a second
MISSED = 3  # heartbeats in a row after which a till is silent


class Tills:
    """What each said last, and when; kept in a file, so that a restart forgets no till."""

    def __init__(self, state: Path, secret: bytes, command: str) -> None:
        self._state, self._secret, self._command = state, secret, command
        self._lock = threading.Lock()
        self.known: dict[str, dict[str, Any]] = json.loads(state.read_text("utf-8")) if state.exists() else {}
        self._kept = 0.0
        self._heard = dict.fromkeys(self.known, time.monotonic())  # nobody is silent because this one was down

    def take(self, header: str, body: bytes, now: float) -> int:
        """Return the HTTP status: 204 taken, 401 not of a till, or played back.

        ValueError, KeyError or TypeError where it says something else than a heartbeat.
        """
        parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
        moment = parts.get("t", "")
        expected = hmac.new(self._secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        if not moment.isdecimal() or not hmac.compare_digest(expected, parts.get("v1", "")):
            return 401
        said = json.loads(body)
        said |= {"next_in_seconds": float(said["next_in_seconds"]), "unsent": int(said["unsent"])}
        name = f"{said['seller']}/{said['till']}"
        with self._lock:
            last = self.known.get(name, {})
            same = last.get("process") == said["process"]
            if said["sequence"] <= last.get("sequence", 0) if same else abs(now - int(moment)) > TOLERANCE:
                return 401
            if not same and int(moment) < last.get("signed_at", 0) <= now + TOLERANCE:
                return 401
            back = last.get("silent", False)
            told = {"signed_at": int(moment), "heard_at": now, "silent": False}
            # two tills of one name take turns: each looks like a start of the other
            told["starts"] = last.get("starts", 0) + (not same)
            self.known[name] = {**said, **told}
            self._heard[name] = time.monotonic()
        if back:
            self._tell("back", name)
        return 204

    def look(self) -> None:
        """Find those that have fallen silent."""
        with self._lock:
            now = time.monotonic()
            fallen = [
                name
                for name, said in self.known.items()
                if not said["silent"] and now - self._heard[name] > MISSED * said["next_in_seconds"]
            ]
            for name in fallen:
                self.known[name]["silent"] = True
            if fallen or now - self._kept > KEEP_SECONDS:
                self._keep()
                self._kept = now
        for name in fallen:
            self._tell("silent", name)

    def worst_first(self) -> list[dict[str, Any]]:
        """Return all of them: silent with invoices, silent, critical, late, the rest."""
        with self._lock:
            tills = [{"name": name, **said} for name, said in self.known.items()]
        words = {"critical": 0, "degraded": 1, "ok": 2}  # a word of a later version is as bad as any
        return sorted(
            tills, key=lambda each: (not each["silent"], words.get(each["status"], 0), -each["unsent"], each["name"])
        )

    def _keep(self) -> None:
        """Write the state, whole and durable; without room for it the receiver goes on and tries again."""
        new = self._state.with_suffix(".new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(self.known, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._state)
        except OSError as error:
            sys.stderr.write(f"{self._state}: {error}\n")

    def _tell(self, event: str, name: str) -> None:
        message = json.dumps({"event": event, "name": name, **self.known[name]})
        sys.stdout.write(message + "\n")
        sys.stdout.flush()
        if not self._command:
            return
        try:
            subprocess.run([self._command], input=message, text=True, check=False, timeout=60)  # noqa: S603 - HQ's own
        except (OSError, subprocess.TimeoutExpired) as error:
            sys.stderr.write(f"{error}\n")  # the receiver goes on: it told standard output, and others may fall silent


def handlers(tills: Tills) -> tuple[type[BaseHTTPRequestHandler], type[BaseHTTPRequestHandler]]:
    """Return what answers tills, and what answers this machine."""

    class Base(BaseHTTPRequestHandler):
        timeout = 15

        def answer(self, status: int, text: str = "", kind: str = "text/plain; version=0.0.4; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """3,000 tills a minute: what matters is told by look()."""

    class Receiver(Base):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LARGEST:
                self.answer(413)
                return
            body = self.rfile.read(int(length))
            try:
                self.answer(tills.take(self.headers.get("X-Ksef-Agent-Signature", ""), body, time.time()))
            except (ValueError, KeyError, TypeError):
                self.answer(400)

    class Status(Base):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, metrics(tills.worst_first()))
            else:
                self.answer(200, json.dumps(tills.worst_first(), indent=1), "application/json")

    return Receiver, Status


def metrics(tills: list[dict[str, Any]]) -> str:
    """Return what rules need: when heard, silent, what it holds, its problems by code, how often it began anew."""
    names = {"heard_at": "heartbeat_last_timestamp_seconds", "silent": "heartbeat_silent"}
    names |= {"unsent": "heartbeat_unsent_invoices", "overdue": "heartbeat_overdue_invoices"}
    names |= {"starts": "heartbeat_restarts_total"}
    lines = []
    for key, name in names.items():
        lines.append(f"# TYPE ksef_{name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += [f"ksef_{name}{{{labels(each)}}} {float(each.get(key, 0))}" for each in tills]
    lines.append("# TYPE ksef_heartbeat_problems gauge")
    for each in tills:
        for problem in each.get("problems", []):
            more = labels(problem, "code", "severity")
            lines.append(f"ksef_heartbeat_problems{{{labels(each)},{more}}} {float(problem['count'])}")
    return "\n".join([*lines, ""])


def labels(said: dict[str, Any], *words: str) -> str:
    """Return labels of Prometheus; its escapes are JSON's, but it knows no \\u."""
    return ",".join(
        f"{word}={json.dumps(str(said[word]), ensure_ascii=False)}" for word in words or ("till", "shop", "seller")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path("heartbeats.json"))
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--status-port", type=int, default=8791)
    parser.add_argument("--certificate", help="PEM; without one a proxy in front has to speak https")
    parser.add_argument("--key", help="PEM")
    parser.add_argument("--command", default="")
    given = parser.parse_args()
    secret = os.environ.get("SECRET", "").encode()
    if len(secret) < 32:
        sys.exit("SECRET: at least 32 random characters, the same at the tills ([heartbeat] secret_file)")
    tills = Tills(given.state, secret, given.command)
    receiver, status = handlers(tills)
    outside = ThreadingHTTPServer((given.host, given.port), receiver)
    if given.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.certificate, given.key)
        outside.socket = context.wrap_socket(outside.socket, server_side=True, do_handshake_on_connect=False)
    inside = ThreadingHTTPServer(("127.0.0.1", given.status_port), status)
    for server in (outside, inside):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": outside.server_port, "status_port": inside.server_port}) + "\n")
    sys.stdout.flush()
    while True:
        time.sleep(1)
        tills.look()


if __name__ == "__main__":
    main()
