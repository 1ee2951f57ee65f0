"""`check` and `print-test` see what the service sees: root's command runs once more, by the service's rules.

A printer that root may open says nothing of a service that may not, and its credentials only the service has.
"""

from __future__ import annotations

import functools
import getpass
import grp
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import click

from agent.domain.errors import AgentError
from agent.settings.load import find_config
from agent.system import service_unit

P = ParamSpec("P")
R = TypeVar("R")

_WHY_OUTSIDE = "agent.commands.as_service.why_outside"


def as_the_service(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command by the service's rules where it is root's and reads the service's settings; else as it is."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if service_unit.inside():
            return command(*args, **kwargs)
        rules = service_unit.read_rules()
        if (why := _why_outside(rules, cast(Path | None, kwargs.get("config_file")))) or rules is None:
            click.get_current_context().meta[_WHY_OUTSIDE] = why
            return command(*args, **kwargs)
        try:
            sys.exit(service_unit.run(rules, sys.argv[1:], asks=bool(kwargs.get("full"))))
        except service_unit.Unstartable as error:
            raise AgentError(
                f"Usługa {service_unit.SERVICE} nie uruchomi się z takimi regułami (systemd: {error}). "
                "Przyczynę podaje dziennik: journalctl -b | grep ksef-agent-check"
            ) from error

    return wrapper


def standing() -> str:
    """Say with whose rights this command sees devices and files, and why not with the service's."""
    user = getpass.getuser()
    groups = sorted({grp.getgrgid(number).gr_name for number in os.getgroups()} - {user})
    who = f"użytkownik {user}" + (f", grupy {', '.join(groups)}" if groups else "")
    if service_unit.inside():
        return f"jak usługa {service_unit.SERVICE}: {who}{_credentials()}"
    why = click.get_current_context().meta[_WHY_OUTSIDE]
    return f"poza usługą {service_unit.SERVICE}, która może widzieć co innego ({why}): {who}"


def _why_outside(rules: service_unit.Rules | None, config_file: Path | None) -> str | None:
    if rules is None:
        return "tu jej nie ma"
    if find_config(config_file).absolute() != rules.settings_file:
        return "ma inne ustawienia"
    if os.geteuid() != 0:
        return "jej regułami może sprawdzić root"
    return None


def _credentials() -> str:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    names = sorted(path.name for path in Path(directory).iterdir()) if directory else []
    return f", poświadczenia {', '.join(names)}" if names else ""
