"""Issue an invoice once, however often the line breaks, then ask until KSeF has decided. The standard library alone."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

API, TOKEN = os.environ["API"], os.environ["TOKEN"]
FINAL = {"accepted", "rejected", "exempt"}
SALE = {
    "buyer": {
        "nip": "5260250274",
        "name": "Ministerstwo Finansów",
        "address": {"line1": "ul. Świętokrzyska 12", "line2": "00-916 Warszawa"},
    },
    "prices": "gross",
    "lines": [{"name": "Kawa ziarnista 1 kg", "quantity": "2", "unit": "szt.", "unit_price": "64.90", "vat": "23"}],
    "payments": [{"method": "card", "amount": "129.80"}],
    "external_ref": "order-4711",
}


def call(path, body=None, key=None):
    """Ask until there is an answer; a POST has a key, so that a repeat never makes a second invoice."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
    while True:
        try:
            request = urllib.request.Request(API + path, data, headers)
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if not problem["retry_safe"]:
                sys.exit(f"{problem['code']}: {problem['detail']}")
        except OSError:
            pass  # nobody knows whether it was issued: the same key tells
        time.sleep(1)


def main():
    key = str(uuid.uuid4())  # made when the basket begins, and kept until there is an answer
    invoice = call("/v1/invoices", SALE, key)
    print(invoice["number"], invoice["mode"], invoice["hand_over"])
    for _ in range(60):
        invoice = call(f"/v1/invoices/{invoice['id']}")
        if invoice["state"] in FINAL:
            break
        time.sleep(2)
    print(invoice["state"], invoice["ksef_number"] or "")


if __name__ == "__main__":
    main()
