"""Every problem code this program answers with, and what it means for a developer of till software.

PROBLEMS: codes of the whole answer. FIELD_CODES: codes of the items of ``errors``; where an input has one mistake only,
its code is the code of the answer too (422). docs/api.md carries both tables. Codes are stable: add, never rename.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A code: its status and its English title."""

    status: int
    title: str


PROBLEMS: Final[dict[str, ProblemKind]] = {
    # The request as such.
    "bad-request": ProblemKind(400, "The request is not valid HTTP for this route"),
    "bad-query": ProblemKind(400, "A query parameter is wrong or unknown"),
    "body-undecodable": ProblemKind(400, "The body cannot be unpacked as its Content-Encoding says"),
    "body-incomplete": ProblemKind(400, "The body broke off or its chunks are damaged"),
    "not-json": ProblemKind(400, "The body is not valid JSON (UTF-8, one object, at most 32 levels deep)"),
    "duplicate-json-key": ProblemKind(400, "An object in the body has the same key twice"),
    "idempotency-key-missing": ProblemKind(400, "The Idempotency-Key header is missing or malformed"),
    "token-missing": ProblemKind(401, "No bearer token was sent"),
    "token-unknown": ProblemKind(401, "The bearer token is unknown or revoked"),
    "not-permitted": ProblemKind(403, "The role of the token does not allow this"),
    "pin-wrong": ProblemKind(403, "No manager has this PIN"),
    "origin-not-allowed": ProblemKind(403, "The Origin header is neither ours nor configured"),
    "method-not-allowed": ProblemKind(405, "The route does not know this method"),
    "body-timeout": ProblemKind(408, "The body did not arrive in time"),
    "body-too-large": ProblemKind(413, "The body is over the limit, packed or unpacked"),
    "xml-too-large": ProblemKind(413, "The FA(3) file is over KSeF's 1 MB"),
    "unsupported-content-encoding": ProblemKind(415, "The Content-Encoding is neither gzip nor deflate, or several"),
    "unsupported-media-type": ProblemKind(415, "Neither application/json nor application/xml"),
    "expectation-failed": ProblemKind(417, "Expect is something else than 100-continue"),
    "host-not-allowed": ProblemKind(421, "The Host header is not an address of this agent"),
    # Nothing there.
    "not-found": ProblemKind(404, "There is no such route"),
    "invoice-not-found": ProblemKind(404, "There is no such invoice"),
    "correction-not-found": ProblemKind(404, "There is no such held correction"),
    "print-not-found": ProblemKind(404, "There is no such print job"),
    "pin-unset": ProblemKind(404, "No manager has a PIN on this till"),
    "buyer-unknown": ProblemKind(404, "Nobody knows this buyer yet"),
    "no-upo": ProblemKind(404, "KSeF's confirmation is not here yet"),
    "not-printed": ProblemKind(404, "The invoice has not been printed yet"),
    "exported": ProblemKind(404, "The file was exported and removed from the till; it is in the archive"),
    # The law, KSeF or the state of the invoice forbids it.
    "conflict": ProblemKind(409, "The law, KSeF or the state of the invoice forbids it"),
    "number-taken": ProblemKind(409, "An invoice of this kind and number exists already"),
    "number-taken-in-ksef": ProblemKind(409, "KSeF has another document under this number, or may have"),
    "ksef-number-taken": ProblemKind(409, "Another invoice has this KSeF number"),
    "outage-unknown": ProblemKind(404, "There is no outage of that name"),
    "series-ahead": ProblemKind(409, "The series is ahead of this number"),
    "base-rejected": ProblemKind(409, "KSeF refused the invoice to be corrected"),
    "base-without-number": ProblemKind(409, "The base has no KSeF number yet; POST …/corrections waits for it"),
    "base-number-differs": ProblemKind(409, "The base has another KSeF number than the correction says"),
    "base-has-held-correction": ProblemKind(409, "A correction of this invoice waits already; let it be issued first"),
    "base-known-here": ProblemKind(409, "The invoice is on this till: correct it by its id"),
    "not-correctable": ProblemKind(409, "This invoice cannot be corrected here"),
    "nothing-left": ProblemKind(409, "The invoice was corrected to zero already"),
    "corrected-collectively": ProblemKind(409, "A collective correction stands in the way"),
    "other-seller": ProblemKind(409, "The invoice is another seller's"),
    "technical-correction-refused": ProblemKind(409, "No technical correction is possible or allowed now"),
    "resend-refused": ProblemKind(409, "The same bytes go again only after a refusal for missing permissions"),
    "not-rejected": ProblemKind(409, "Only for a rejected invoice or a refused correction"),
    "correction-not-waiting": ProblemKind(409, "The correction does not wait any more; it has no slip to print"),
    "content-differs": ProblemKind(409, "A technical correction may not change the content"),
    "content-exported": ProblemKind(409, "The invoice's content was exported and removed from the till"),
    "mode-not-declarable": ProblemKind(409, "Nothing announced allows this mode"),
    "nothing-declared": ProblemKind(409, "No mode is declared"),
    "clock-moved": ProblemKind(409, "The clock shows another date than the one to confirm"),
    "clock-not-confirmable": ProblemKind(409, "The clock is certainly wrong; nobody can confirm it"),
    "no-outbox": ProblemKind(409, "No webhook of a shop system is configured (outbox.url)"),
    # The content; errors names each mistake.
    "bad-input": ProblemKind(422, "Several fields are wrong; errors names each"),
    "ready-invoice": ProblemKind(422, "Several things are wrong with the FA(3); errors names each"),
    "schema": ProblemKind(422, "The FA(3) does not meet the official schema; errors names each place"),
    "refused": ProblemKind(422, "The request cannot be done as it stands"),
    "idempotency-key-reused": ProblemKind(422, "The key was used before with another body"),
    "bad-nip": ProblemKind(422, "The NIP's checksum is wrong"),
    # The agent.
    "document-damaged": ProblemKind(500, "The disk changed the stored document; it is neither sent, printed nor shown"),
    "internal-error": ProblemKind(500, "A defect of the agent; the detail holds the id of the log entry"),
    "pin-taken": ProblemKind(409, "Another manager has this PIN"),
    "too-many-pins": ProblemKind(409, "The till keeps ten managers' PINs at most"),
    "pin-locked": ProblemKind(429, "Too many wrong PINs; wait, or have one set anew"),
    "unavailable": ProblemKind(503, "Cannot be done now; repeat with the same key"),
    "ksef-unavailable": ProblemKind(503, "KSeF cannot be asked now, or its limits allow no such question yet"),
    "clock-wrong": ProblemKind(503, "The till's clock is too far off to date an invoice"),
    "clock-unconfirmed": ProblemKind(503, "Nothing confirms the date; a manager may (POST /v1/clock)"),
    "previews-busy": ProblemKind(503, "Too many previews wait; they are made one at a time"),
    "too-many-connections": ProblemKind(503, "All connections of this listener are busy; nothing was read"),
    "store-busy": ProblemKind(503, "The database is busy"),
    "store-lost": ProblemKind(503, "The disk failed; the agent restarts, and the same key tells what was stored"),
    "store-closed": ProblemKind(503, "The agent is stopping"),
    "pins-unreadable": ProblemKind(503, "The file of PINs, or of their failures, cannot be read"),
    "tokens-unreadable": ProblemKind(503, "tokens.json cannot be read"),
    "disk-full": ProblemKind(507, "No room on the disk; nothing was stored"),
}

FIELD_CODES: Final[dict[str, str]] = {
    "weak-pin": "No 6 to 12 digits, or one of the first that anybody tries",
    # Any field.
    "invalid": "Wrong; the message says why",
    "required": "The field is missing or empty",
    "unknown-field": "There is no such field",
    "wrong-type": "Another JSON type is expected (amounts: strings, never floats)",
    "too-long": "Too many characters",
    "too-many": "Too many items",
    "misleading-character": "A character that turns the direction of writing",
    "forbidden-character": "A character that KSeF's strict XML refuses",
    "not-allowed": "Not one of the allowed values",
    "not-a-number": "Not a decimal number",
    "too-many-decimals": "Too many digits after the point",
    "amount-too-large": "More than 12 digits before the point",
    "negative": "Must not be negative",
    "not-positive": "Must be more than 0",
    "not-a-date": "Not a date YYYY-MM-DD",
    "date-in-future": "A date after today (Poland)",
    "date-too-old": "A date too long ago",
    "empty": "Nothing in the list",
    "unknown-mode": "Not a mode a manager may declare",
    # The sale.
    "empty-basket": "No lines",
    "too-many-lines": "More lines than FA(3) takes",
    "unknown-vat-rate": "Not a P_12 of FA(3)",
    "rate-not-in-force": "A rate of the past, or oo: not in a sale of today",
    "discount-too-large": "The discount is more than the line",
    "payments-do-not-add-up": "Payments differ from the total",
    "exchange-rate": "Missing for a foreign currency, or given for PLN",
    "exemption-missing": "Rate zw without its legal basis",
    "exemption-needless": "A legal basis without rate zw",
    "rate-needs-nip": "Rate oo needs a buyer with a Polish NIP",
    "rate-needs-eu-vat": "Rates 0 WDT and np II need a buyer with an EU VAT number",
    "receipt-nip-missing": "An invoice to a receipt for a taxpayer needs his number on the receipt",
    "receipt-nip-differs": "The receipt carries another number than the invoice; art. 106b ust. 5 forbids it",
    "nip-checksum": "The NIP's checksum is wrong",
    "nip-form": "A NIP has 10 digits",
    "eu-vat": "Not an EU VAT number",
    "polish-nip": "A Polish NIP in the place of a foreign identifier; KSeF delivers by the NIP alone",
    "buyer-is-seller": "The buyer is the seller",
    "buyer-unknown": "A NIP alone, and nobody knows (in time) whose it is: send name and address too",
    "ptu-letter": "A letter of the fiscal register that the settings give no rate ([ptu])",
    "ean": "Not an EAN or UPC, or its check digit is wrong",
    "email": "Not an e-mail address",
    "buyer-ids": "More than one identifier of the buyer",
    # The correction.
    "unknown-line": "The invoice has no such line",
    "duplicate-line": "The same line twice",
    "more-than-left": "More than is left of the line",
    "no-change": "The correction changes nothing",
    "other-buyer": "An invoice of another buyer",
    "ksef-number": "Not a KSeF number",
    # A ready FA(3).
    "xml-malformed": "Not well-formed XML",
    "xml-too-deep": "More than 32 levels of elements",
    "xml-encoding": "Not UTF-8",
    "xml-version": "Declared as XML of another version than 1.0",
    "xml-bom": "A byte order mark; KSeF wants UTF-8 without",
    "xml-doctype": "A DTD; KSeF refuses it",
    "xml-instruction": "A processing instruction; KSeF refuses it",
    "xml-namespace": "Not a Faktura of FA(3)",
    "xml-schema": "An element is missing or unreadable",
    "seller-nip": "The seller is not this till's",
    "self-billing": "Self-billing is not for a till",
    "buyer-incomplete": "The buyer's name or address is missing; only a simplified invoice needs none",
    "buyer-number-changed": "A correction would give the invoice another buyer; correct to zero and issue anew",
    "unit-missing": "JST or GV is 1, and no Podmiot3 names the unit by NIP or IDWew",
    "issue-date-future": "P_1 is after today",
    "base-missing": "A correction without its base",
    "base-of-another-seller": "The base is another seller's",
    "kind-contradicts": "RodzajFaktury and content disagree",
    "sum-contradicts": "P_15 is not the sum of the rates",
    "tax-contradicts": "A tax does not fit its rate",
    "lines-contradict": "The lines do not add up to a rate's sum",
    "line-contradicts": "Quantity, price, net, tax and gross of a line do not fit",
    "rate-sum-missing": "Lines with a rate that has no sum",
    "rate-lines-missing": "A rate's sum without lines, where there are lines",
    "settlement-contradicts": "Charges, deductions and DoZaplaty or DoRozliczenia do not fit P_15",
    "tax-in-pln-contradicts": "P_14_xW is not the tax at the exchange rate that stands there",
    "simplified-limit": "Too much for a simplified invoice: 450 PLN or 100 EUR",
    "simplified-buyer": "A simplified invoice without the buyer's number",
    "simplified-rate": "WDT or OSS on a simplified invoice",
    "tax-in-pln-missing": "Tax in PLN is missing for a foreign currency",
    "internal-id": "Not an internal identifier (NIP-XXXXX)",
    "recipient-needs-nip": "Only a buyer with a Polish NIP buys for a recipient",
    "receipt-missing": "A receipt's number beside a document that is not to a receipt (FP)",
    "split-payment-missing": "Over 15 000 PLN with goods of annex 15, and P_18A is not 1",
    # A file in EDI++.
    "epp-malformed": "EDI++: the file breaks the format, or is not whole; the pointer is line:field",
    "epp-encoding": "EDI++: neither code page 1250 nor 852 nor UTF-8",
    "epp-accounting-office": "EDI++: a file for an accounting office has no lines to make an invoice of",
    "epp-seller": "EDI++: the file is another firm's",
    "epp-unsupported": "EDI++: a kind of document that the till cannot issue",
    "epp-field": "EDI++: a field cannot be read",
    "epp-product": "EDI++: the product's name is not in the file",
    "epp-receipt": "EDI++: the number or register of the fiscal receipt, or the buyer's number on it, is missing",
    "epp-sums-differ": "EDI++: the sums of the file are not those of its lines; both are shown",
    "epp-base": "EDI++: a correction does not fit the invoice it corrects",
}
"""Of ``errors``; the code of the whole answer too where it is the only mistake, with status 422."""


def title_of(code: str) -> str:
    """English title of a code."""
    if code in PROBLEMS:
        return PROBLEMS[code].title
    return FIELD_CODES.get(code, "The request was refused")
