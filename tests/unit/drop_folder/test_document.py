"""The examples of docs/dropfolder.md, dropped into a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.fakes.drop_folder import Shop, folder_settings
from tests.fakes.world import SELLER, world

TEXT = (Path(__file__).parents[3] / "docs" / "dropfolder.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


async def test_the_examples_are_issued_and_answered_as_shown(tmp_path: Path) -> None:
    sale, correction, answer = blocks("json")
    (file,) = (block for block in blocks("") if block.startswith("[INFO]"))
    async with world(tmp_path, given=folder_settings(tmp_path)) as place:
        shop = Shop(place)
        issued = await shop.take("order-4711.json", sale)
        assert issued["documents"][0]["invoice"]["external_ref"] == "order-4711"
        shown = json.loads(answer)
        assert issued.keys() == shown.keys()
        assert issued["documents"][0].keys() == shown["documents"][0].keys()
        assert issued["documents"][0]["invoice"].keys() >= shown["documents"][0]["invoice"].keys()
        back = correction.replace("FV-1/2026/11/000017", issued["documents"][0]["invoice"]["number"])
        assert back != correction
        assert (await shop.take("return.json", back))["documents"][0]["invoice"]["kind"] == "KOR"
        ours = file.replace("526-104-08-28", SELLER.nip).replace("\n", "\r\n").encode("cp1250")
        made = (await shop.take("day.epp", ours))["documents"][0]
        assert (made["name"], made["status"]) == ("FS 12/2026", "issued")
        assert made["invoice"]["totals"]["gross"] == "129.80"


def test_every_status_is_explained() -> None:
    rows = set(re.findall(r"^\| `([a-z]+)` \|", TEXT, re.MULTILINE))
    assert rows - {"status"} == {"issued", "waiting", "partly", "refused", "rejected", "skipped"}
