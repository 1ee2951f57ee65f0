"""`ksef-agent enroll` against the sandbox."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from agent.command_line import cli
from agent.domain.errors import Refused
from agent.ksef.credentials import load_credentials
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox


async def enroll(*arguments: str) -> Result:
    """Run the command with a loop of its own, in a thread: the sandbox lives in this one."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["enroll", *arguments])


async def test_a_new_pair_a_replacement_and_a_refusal(tmp_path: Path) -> None:
    async with Sandbox(limits=NO_LIMITS) as sandbox:
        config = tmp_path / "agent.toml"
        facts = write_config(sandbox, config, describe(sandbox, tmp_path / "certificates"))
        settings = config.read_text()

        out = tmp_path / "new"
        result = await enroll("--config", str(config), "--type", "offline", "--out", str(out), "--json")
        assert result.exit_code == 0, result.output
        answer = json.loads(result.stdout)
        new = load_credentials(out / "offline.crt", out / "offline.key")
        assert answer["serial"] == new.serial
        assert (out / "offline.key").stat().st_mode & 0o777 == 0o600

        for _ in range(2):  # a roll-out that is run every night asks KSeF for nothing
            result = await enroll("--config", str(config), "--type", "offline", "--out", str(out), "--if-due", "--json")
            assert result.exit_code == 0, result.output
            kept = json.loads(result.stdout)
            assert (kept["changed"], kept["serial"]) == (False, new.serial)
        (out / "offline.crt").unlink()
        result = await enroll("--config", str(config), "--type", "offline", "--out", str(out), "--if-due", "--json")
        assert json.loads(result.stdout)["changed"] is True

        result = await enroll("--config", str(config), "--type", "authentication")
        assert result.exit_code == 0, result.output
        assert "Certyfikat Authentication" in result.output
        files = facts["authentication"]
        assert isinstance(files, dict)
        certificate = Path(str(files["certificate"]))
        current = load_credentials(certificate, Path(str(files["key"])))
        assert current.serial in result.output
        assert certificate.with_name(certificate.name + ".previous").exists()

        token = tmp_path / "token"
        token.write_text(sandbox.ksef_token)
        token.chmod(0o600)
        config.write_text(settings.replace('auth = "certificate"', f'auth = "token"\ntoken_file = "{token}"'))
        result = await enroll("--config", str(config), "--out", str(out))
        assert isinstance(result.exception, Refused)
        assert "tylko po uwierzytelnieniu certyfikatem" in str(result.exception)

        result = await enroll("--config", str(config), "--name", "x!")
        assert result.exit_code == 2
        assert "--name" in result.output
