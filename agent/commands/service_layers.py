"""The layers of settings that only the service has, its variables and credentials: commands count them as well.

A command that did not see them would issue in another till's series where no service runs, and look for the database
and the running agent in another place.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.settings.layers import CREDENTIALS, VARIABLES
from agent.settings.load import find_config, load
from agent.settings.model import Settings
from agent.system import service_unit

PLACE: Final = Path("/run/credentials") / service_unit.SERVICE
"""Where systemd keeps the credentials of the service while it runs; root and the service may read them."""
CONFIG: Final = "KSEF_AGENT_CONFIG"


def read_settings(file: Path | None, *, need_files: bool) -> Settings:
    """Read the settings with all layers of the service; ``file`` None: where they are looked for."""
    found = find_config(file)
    return load(found, need_files=need_files, variables=environment_for(found))


def environment_for(file: Path) -> Mapping[str, str]:
    """Return the environment in which a command reads ``file``; the caller's own variables win.

    It is this process's own where this is the service, or where the service reads another file.
    """
    if service_unit.inside():
        return os.environ
    shown = service_unit.properties("Environment", "EnvironmentFiles")
    given = {**_variables(shown.get("Environment", "")), **_of_files(shown.get("EnvironmentFiles", ""))}
    if str(file.absolute()) != given.get(CONFIG):
        return os.environ
    layers = {name: value for name, value in given.items() if name.startswith(VARIABLES)}
    if os.access(PLACE, os.R_OK | os.X_OK):
        layers[CREDENTIALS] = str(PLACE)
    else:
        _tell_of_what_is_not_seen()
    return {**layers, **os.environ}


def _variables(text: str) -> dict[str, str]:
    """Read NAME=VALUE words as systemd writes them; none where a quotation does not end."""
    with suppress(ValueError):
        words = (word.partition("=") for word in shlex.split(text, comments=False))
        return {name: value for name, separator, value in words if separator}
    return {}


def _of_files(text: str) -> dict[str, str]:
    """Read the files of EnvironmentFile=, each told as `/etc/default/x (ignore_errors=yes)`, as far as they can be."""
    found: dict[str, str] = {}
    for path in text.replace("(ignore_errors=yes)", "\n").replace("(ignore_errors=no)", "\n").splitlines():
        with suppress(OSError, UnicodeDecodeError):
            for line in Path(path.strip()).read_text("utf-8").splitlines():
                if not line.lstrip().startswith(("#", ";")):
                    found |= _variables(line)
    return found


def _tell_of_what_is_not_seen() -> None:
    """Name the credentials with settings; systemd tells them by the lines of the unit alone."""
    rules = service_unit.read_rules()
    lines = () if rules is None else rules.lines
    credentials = (value for key, value in lines if key.startswith(("LoadCredential", "SetCredential")))
    names = sorted({name for value in credentials if (name := value.partition(":")[0]).endswith(".toml")})
    if names:
        told = f"ustawień z poświadczeń usługi ({', '.join(names)}) to polecenie nie widzi, bo usługa nie działa."
        sys.stderr.write(f"ksef-agent: {told}\n")
