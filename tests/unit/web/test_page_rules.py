"""Rules that the till page has too say the same there as in the domain."""

from __future__ import annotations

import re
from pathlib import Path

from agent.domain.identifiers import _EU_VAT_FORMS
from agent.web import page

LINE = re.compile(r"^  ([A-Z]{2}): \[/(.+)/, \"", re.MULTILINE)


def test_forms_of_eu_numbers_are_those_of_the_domain() -> None:
    script = (Path(page.__file__).parent / "buyer" / "eu.js").read_text(encoding="utf-8")
    assert dict(LINE.findall(script)) == _EU_VAT_FORMS
