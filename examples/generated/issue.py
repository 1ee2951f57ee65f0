"""Issue an invoice with the client that openapi-python-client makes of /openapi.json."""

import os
import uuid

import httpx
from ksef_agent_client import AuthenticatedClient
from ksef_agent_client.api.invoices import issue
from ksef_agent_client.models import Invoice, Prices, Sale, SaleAddress, SaleBuyer, SaleLine, VatRate

SALE = Sale(
    buyer=SaleBuyer(
        nip="5260250274",
        name="Ministerstwo Finansów",
        address=SaleAddress(line1="ul. Świętokrzyska 12", line2="00-916 Warszawa"),
    ),
    prices=Prices.GROSS,
    lines=[SaleLine(name="Kawa ziarnista 1 kg", quantity="2", unit_price="64.90", vat=VatRate.R23)],
    external_ref="order-4711",
)
client = AuthenticatedClient(os.environ["API"], os.environ["TOKEN"], timeout=httpx.Timeout(90))
answer = issue.sync(client=client, body=SALE, idempotency_key=str(uuid.uuid4()))
if not isinstance(answer, Invoice):
    raise SystemExit(f"{answer.code}: {answer.detail}" if answer else "no answer")
print(answer.number, answer.mode, answer.hand_over)
