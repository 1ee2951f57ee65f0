"""Build hook: put the official FA(3) XSD files into the package (docs/decisions.md, number 2).

The files are the Ministry's, so the repository does not hold them. They come out of the pinned
``ksef-client`` wheel, which build isolation installs, and are checked against the hashes below.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHA256 = {
    "schemat_FA(3)_v1-0E.xsd": "50c655de247d8efc706c1791468624e6768e12772b901b1d344240e8e3987e41",
    "StrukturyDanych_v10-0E.xsd": "d26095dc6c68b40be67bb855be2ea59b1215f812ebb63176af294f43e9915a65",
    "ElementarneTypyDanych_v10-0E.xsd": "20f79cb00c12800a3b48c3fced4c05fd0455d9ec6da2a699d964fb23c84edbad",
    "KodyKrajow_v10-0E.xsd": "48be2a9f181d7ff80f185c62491ba12604c5cacbbe21af8e2aaaf2c585bbd214",
}


class SchemaHook(BuildHookInterface):  # type: ignore[type-arg]
    """Copy the schemas for wheels and for editable installs alike."""

    PLUGIN_NAME = "fa3-schemas"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copy and check each file; a different hash ends the build."""
        target = Path(self.root) / "schemas" / "fa3"
        target.mkdir(parents=True, exist_ok=True)
        spec = importlib.util.find_spec("ksef_client")
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError("ksef-client is not in the build environment (build-system.requires)")
        found = {path.name: path for path in Path(spec.submodule_search_locations[0]).rglob("*.xsd")}
        for name, expected in SHA256.items():
            content = found[name].read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if digest != expected:
                raise RuntimeError(f"{name}: SHA-256 {digest}, expected {expected}")
            destination = target / name
            if not destination.exists() or destination.read_bytes() != content:
                destination.write_bytes(content)
