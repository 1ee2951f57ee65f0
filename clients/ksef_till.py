#!/usr/bin/env python3
"""Issue a sale from a till program: over HTTP, or through the agent's drop folder. Python 3.8 and later, nothing else.

    python ksef_till.py --api http://127.0.0.1:8780 --token-file token.txt order-4711.json
    python ksef_till.py --folder \\\\kasa\\faktury order-4711.json

The file is a sale (JSON), a ready FA(3) (XML) or, in a folder, EDI++ (.epp). The answer is printed as JSON. Exit code:
0 issued, 1 refused (the answer says why), 2 wrong use, 3 no answer in time: call again with the same file, nothing is
issued twice. As a module: issue_by_http() and issue_by_folder().
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Optional

DONE, REFUSED, WRONG_USE, NO_ANSWER = 0, 1, 2, 3
PAUSE_SECONDS = 1.0
LONGEST_ANSWER = 16 * 1024 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The agent sends nobody elsewhere; a portal that does must not get the token."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
"""Directly: the agent is on this machine or in the shop, and the machine's proxy must not get the token."""


class Refused(Exception):
    """The agent refused: ``answer`` says why, and repeating it unchanged never helps."""

    def __init__(self, answer: Dict[str, Any]) -> None:
        super().__init__(str(answer.get("detail", answer.get("status"))))
        self.answer = answer


def key_of(name: str, content: bytes) -> str:
    """Return the idempotency key of a file: the same name and content are the same sale, however often it is sent."""
    return "till-" + hashlib.sha256(os.path.basename(name).encode("utf-8", "replace") + b"\0" + content).hexdigest()


def issue_by_http(api: str, token: str, content: bytes, key: str, wait: float = 120.0) -> Dict[str, Any]:
    """Issue once, however often the line breaks, and return the invoice.

    Refused where it can never be issued; TimeoutError after ``wait`` seconds: call again with the same key.
    """
    is_xml = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
    headers = {
        "Authorization": "Bearer " + token,
        "Content-Type": "application/xml" if is_xml else "application/json",
        "Idempotency-Key": key,
    }
    request = urllib.request.Request(api.rstrip("/") + "/v1/invoices", data=content, headers=headers)
    deadline = time.monotonic() + wait
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer: nobody knows yet whether it was issued; ask again with the same key")
        try:
            with _OPENER.open(request, timeout=max(left, 1.0)) as answer:
                made = _object(answer.read(LONGEST_ANSWER))
            if "number" in made:
                return made
        except urllib.error.HTTPError as error:
            problem = _problem(error)
            if "code" in problem and not problem.get("retry_safe", error.code >= 500):
                raise Refused(problem) from error
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the line broke: the same key gives the same invoice
        time.sleep(PAUSE_SECONDS)  # also where a proxy or another program spoke: only the agent's refusals have a code


def issue_by_folder(folder: str, name: str, content: bytes, wait: float = 120.0) -> Dict[str, Any]:
    """Drop the file and return its answer: written under another name, then renamed, as the agent wants it.

    ``name`` has to be another one for each sale. Refused where any document of it was; TimeoutError after ``wait``
    seconds: the file stays there and is issued later, call again to hear of it.
    """
    stem = os.path.splitext(name)[0]
    sha256 = hashlib.sha256(content).hexdigest()
    target = os.path.join(folder, name)
    refusal = os.path.join(folder, "refused", stem + ".result.json")
    earlier = _bytes(refusal)  # of this file, when it was dropped before: what it said need not hold any more
    deadline = time.monotonic() + wait
    while not _dropped(target, content):  # the share is away or full, or the agent is reading an earlier one
        if time.monotonic() >= deadline:
            raise TimeoutError("the file could not be put into the folder; call again with the same file")
        time.sleep(PAUSE_SECONDS)
    while time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        if os.path.exists(target):
            continue  # not taken yet
        answer = _answer(_bytes(os.path.join(folder, "done", stem + ".result.json")))
        if answer is not None and answer.get("sha256") == sha256:
            return answer
        told = _bytes(refusal)
        answer = None if told == earlier else _answer(told)
        if answer is not None and answer.get("sha256") == sha256:
            raise Refused(answer)
    raise TimeoutError("no answer yet; the file is in the folder")


def _dropped(target: str, content: bytes) -> bool:
    try:
        with open(target + ".tmp", "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(target + ".tmp", target)
    except OSError:
        return False
    return True


def _object(content: bytes) -> Dict[str, Any]:
    """Return the JSON object; ValueError where it is none."""
    found = json.loads(content.decode("utf-8"))
    if isinstance(found, dict):
        return found
    raise ValueError("no JSON object")


def _bytes(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None  # not there yet, or just being replaced


def _answer(content: Optional[bytes]) -> Optional[Dict[str, Any]]:
    try:
        return None if content is None else _object(content)
    except ValueError:
        return None


def _problem(error: urllib.error.HTTPError) -> Dict[str, Any]:
    try:
        return _object(error.read(LONGEST_ANSWER))
    except (OSError, ValueError, http.client.HTTPException):
        return {"detail": "HTTP {}".format(error.code)}


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Issue a sale through ksef-agent.")
    parser.add_argument("file", help="sale (JSON), FA(3) (XML), or EDI++ (.epp, folder only)")
    parser.add_argument(
        "--api", default=os.environ.get("KSEF_API", "http://127.0.0.1:8780"), help="address of the agent"
    )
    parser.add_argument("--token-file", help="file with the token; or the environment variable KSEF_TOKEN")
    parser.add_argument("--folder", help="the agent's drop folder, instead of HTTP")
    parser.add_argument("--wait", type=float, default=120.0, help="seconds to wait for the answer (default: 120)")
    chosen = parser.parse_args()
    try:
        with open(chosen.file, "rb") as file:
            content = file.read()
        token = "" if chosen.folder else _token(chosen.token_file)
    except (OSError, ValueError) as error:
        sys.stderr.write("{}\n".format(error))
        return WRONG_USE
    name = os.path.basename(chosen.file)
    code = DONE
    try:
        if chosen.folder:
            answer = issue_by_folder(chosen.folder, name, content, chosen.wait)
        else:
            answer = issue_by_http(chosen.api, token, content, key_of(name, content), chosen.wait)
    except Refused as error:
        answer, code = error.answer, REFUSED
    except TimeoutError as error:
        answer, code = {"detail": str(error)}, NO_ANSWER
    if "rejected" in (answer.get("state"), answer.get("status")):
        code = REFUSED  # by KSeF
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    return code


def _token(path: Optional[str]) -> str:
    if path is None:
        return os.environ.get("KSEF_TOKEN", "")
    with open(path, encoding="ascii") as file:
        return file.read().strip()


if __name__ == "__main__":
    sys.exit(main())
