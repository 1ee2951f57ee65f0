"""`correct` tells of both documents of a wrong buyer."""

from __future__ import annotations

import json
from pathlib import Path

from agent.commands import correct
from agent.ports import Rejected
from tests.fakes.shop import Shop
from tests.fakes.world import sale


def test_the_new_invoice_is_told_and_that_it_stands_already(shop: Shop, tmp_path: Path) -> None:
    base = shop.do(shop.place.in_time(shop.place.sell()))
    order = tmp_path / "buyer.json"
    order.write_text(json.dumps({"kind": "buyer", "buyer": {**sale()["buyer"], "nip": "5260250274"}}))
    shop.place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
    first = shop.run(correct, base.number, str(order))
    assert first.exit_code == 1
    refused, told, new, its = first.stdout.splitlines()
    assert refused.endswith("  rejected")
    assert told.startswith("KSeF odrzucił korektę i nic nie wydrukowano")
    assert (new.split()[1], its) == ("accepted", "Wydaj klientowi fakturę.")
    again = shop.run(correct, base.number, str(order))
    assert again.exit_code == 0
    assert again.stdout.splitlines()[1:] == [
        "Wydaj klientowi korektę. Nie zwracaj pieniędzy: rozlicza je nowa faktura.",
        new,
        "Tę nową fakturę wystawiono już wcześniej.",
    ]
