"""Interactive sessions of the sandbox: what it takes, what it refuses, and what it says afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from agent.domain import ksef_number
from tests.reference import UPO_SCHEMA
from tests.unit.sandbox.sandbox_client import FORM_CODE, Client, b64, invoice, running, sha256

UPO = "{http://upo.schematy.mf.gov.pl/KSeF/v4-3}"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as started:
        await started.sign_in()
        assert (await started.open()).status == 201
        yield started


class TestAcceptance:
    async def test_an_invoice_gets_a_number_once_it_was_worked_through(self, client: Client) -> None:
        xml = invoice()
        sent = await client.send(xml)
        path = f"/sessions/{client.session}/invoices/{sent.body['referenceNumber']}"
        waiting = (await client.call("GET", path)).body
        assert (waiting["status"]["code"], waiting.get("ksefNumber")) == (150, None)

        done = await client.settled(sent)

        assert done["status"]["code"] == 200
        assert ksef_number.check(done["ksefNumber"]).startswith(f"{client.sandbox.nip}-20261124-")
        assert done["invoiceHash"] == b64(sha256(xml))
        (entry,) = client.sandbox.ledger.entries()
        assert entry.to_json() == {
            "ksef_number": done["ksefNumber"],
            "nip": client.sandbox.nip,
            "kind": "VAT",
            "number": "FV/1",
            "sha256": sha256(xml).hex(),
            "offline": False,
            "session": client.session,
            "accepted_at": done["acquisitionDate"],
        }

    @pytest.mark.parametrize(
        ("issued_on", "declared", "expected"),
        [("2026-11-24", False, "Online"), ("2026-11-23", False, "Offline"), ("2026-11-24", True, "Offline")],
    )
    async def test_the_mode_comes_from_the_date_or_the_declaration(
        self, client: Client, issued_on: str, declared: bool, expected: str
    ) -> None:
        done = await client.settled(await client.send(invoice(issued_on=issued_on), offlineMode=declared))
        assert done["invoicingMode"] == expected

    async def test_the_day_is_polish(self, client: Client) -> None:
        client.clock.step(timedelta(hours=14, minutes=30))  # 23:30 UTC on the 24th, 00:30 in Warsaw on the 25th
        done = await client.settled(await client.send(invoice(issued_on="2026-11-25")))
        assert (done["status"]["code"], done["invoicingMode"]) == (200, "Online")

    async def test_the_upo_confirms_the_bytes(self, client: Client) -> None:
        xml = invoice()
        done = await client.settled(await client.send(xml, offlineMode=True))
        base = f"/sessions/{client.session}/invoices"
        by_reference = await client.call("GET", f"{base}/{done['referenceNumber']}/upo")
        by_number = await client.call("GET", f"{base}/ksef/{done['ksefNumber']}/upo")
        presigned = await client.call("GET", done["upoDownloadUrl"], token="")

        assert by_reference.body == by_number.body == presigned.body
        assert by_reference.headers["x-ms-meta-hash"] == b64(sha256(by_reference.body))
        root = etree.fromstring(by_reference.body)
        document = f"{UPO}Dokument/{UPO}"
        assert root.findtext(document + "NumerKSeFDokumentu") == done["ksefNumber"]
        assert root.findtext(document + "SkrotDokumentu") == b64(sha256(xml))
        assert root.findtext(document + "TrybWysylki") == "Offline"

    async def test_the_original_can_be_fetched_once_it_is_stored(self, client: Client) -> None:
        xml = invoice()
        client.sandbox.behaviour.storage_delay = 100
        done = await client.settled(await client.send(xml))
        path = f"/invoices/ksef/{done['ksefNumber']}"
        assert (await client.call("GET", path)).code == 21165
        await client.clock.advance(100)
        assert (await client.call("GET", path)).body == xml
        unknown = f"/invoices/ksef/{client.sandbox.nip}-20261124-000000000000-00"
        assert (await client.call("GET", unknown)).code == 21164

    async def test_metadata_can_be_searched(self, client: Client) -> None:
        for number in ("FV/1", "FV/2"):
            await client.settled(await client.send(invoice(number)))
        wanted = {
            "subjectType": "Subject1",
            "dateRange": {"dateType": "PermanentStorage", "from": "2026-11-24T00:00:00Z"},
            "invoiceNumber": "FV/2",
        }
        found = (await client.call("POST", "/invoices/query/metadata", wanted)).body["invoices"]
        assert [(item["invoiceNumber"], item["grossAmount"], item["netAmount"]) for item in found] == [
            ("FV/2", 123, 100)
        ]


class TestSessionLife:
    async def test_a_closed_session_gives_a_upo_of_all_that_was_accepted(self, client: Client) -> None:
        numbers = {
            (await client.settled(await client.send(invoice(f"FV/{index}"))))["ksefNumber"] for index in range(3)
        }
        assert (await client.settled(await client.send(invoice("FV/1"))))["status"]["code"] == 440
        assert (await client.close()).status == 204
        status = (await client.call("GET", f"/sessions/{client.session}")).body
        assert status["status"]["code"] == 170
        await client.clock.advance(1)
        status = (await client.call("GET", f"/sessions/{client.session}")).body

        assert status["status"]["code"] == 200
        assert (status["invoiceCount"], status["successfulInvoiceCount"], status["failedInvoiceCount"]) == (4, 3, 1)
        (page,) = status["upo"]["pages"]
        fetched = await client.call("GET", f"/sessions/{client.session}/upo/{page['referenceNumber']}")
        assert fetched.body == (await client.call("GET", page["downloadUrl"], token="")).body
        root = etree.fromstring(fetched.body)
        assert {found.text for found in root.iter(f"{UPO}NumerKSeFDokumentu")} == numbers
        etree.XMLSchema(etree.parse(UPO_SCHEMA)).assertValid(root)
        failed = (await client.call("GET", f"/sessions/{client.session}/invoices/failed")).body["invoices"]
        assert [item["status"]["code"] for item in failed] == [440]

    async def test_nothing_sent_and_nothing_valid(self, client: Client) -> None:
        await client.close()
        await client.clock.advance(1)
        assert (await client.call("GET", f"/sessions/{client.session}")).body["status"]["code"] == 440
        await client.open()
        await client.send(b"<x/>")
        await client.close()
        await client.clock.advance(1)
        assert (await client.call("GET", f"/sessions/{client.session}")).body["status"]["code"] == 445

    async def test_it_ends_after_twelve_hours(self, client: Client) -> None:
        client.sandbox.behaviour.access_token_lifetime = 50 * 3600
        await client.sign_in()
        await client.clock.advance(12 * 3600 - 2)
        assert (await client.send(invoice())).status == 202
        await client.clock.advance(10)
        assert (await client.send(invoice("FV/2"))).code == 21180

    async def test_it_takes_so_many_invoices_and_no_more(self, client: Client) -> None:
        client.sandbox.behaviour.max_invoices = 2
        answers = [await client.send(invoice(f"FV/{index}")) for index in range(3)]
        assert [answer.status for answer in answers] == [202, 202, 400]
        assert answers[2].code == 21155

    async def test_maintenance_keeps_the_session(self, client: Client) -> None:
        client.sandbox.behaviour.maintenance = True
        assert (await client.send(invoice())).code == 21184
        client.sandbox.behaviour.maintenance = False
        assert (await client.send(invoice())).status == 202

    async def test_sessions_are_listed_newest_first(self, client: Client) -> None:
        first = client.session
        await client.open()
        listed = (await client.call("GET", "/sessions?sessionType=Online")).body["sessions"]
        assert [item["referenceNumber"] for item in listed] == [client.session, first]
        assert (await client.call("GET", "/sessions")).code == 21405

    async def test_lists_come_in_pages(self, client: Client) -> None:
        for index in range(13):
            await client.send(invoice(f"FV/{index}"))
        path = f"/sessions/{client.session}/invoices"
        first = (await client.call("GET", path)).body
        second = (await client.call("GET", path, headers={"x-continuation-token": first["continuationToken"]})).body
        ordinals = [item["ordinalNumber"] for item in first["invoices"] + second["invoices"]]
        assert (ordinals, second["continuationToken"]) == (list(range(1, 14)), None)
        assert (await client.call("GET", path, headers={"x-continuation-token": "!"})).code == 21418
        assert (await client.call("GET", path + "?pageSize=9")).code == 21405

    async def test_another_context_sees_nothing(self, client: Client) -> None:
        sent = await client.send(invoice())
        client.sandbox.auth.tokens[client.sandbox.ksef_token].context = "1111111111"
        begun = await client.begin_token(contextIdentifier={"type": "Nip", "value": "1111111111"})
        await client.outcome(begun)
        await client.redeem(begun)
        path = f"/sessions/{client.session}/invoices/{sent.body['referenceNumber']}"
        assert (await client.call("GET", path)).code == 21173


class TestKeys:
    async def test_after_a_rotation_the_old_key_is_refused(self, client: Client) -> None:
        old = await client.encryption()
        client.sandbox.rotate_keys()
        assert (await client.open(encryption=old)).code == 21470
        await client.clock.advance(2)
        assert (await client.open()).status == 201
        assert (await client.settled(await client.send(invoice())))["status"]["code"] == 200

    async def test_the_future_key_is_refused(self, client: Client) -> None:
        future = next(
            key for key in client.sandbox.keys.keys if key.certificate.not_valid_before_utc > client.clock.now()
        )
        assert (await client.open(encryption=await client.encryption(publicKeyId=future.id))).code == 21470

    async def test_an_undecryptable_key_shows_in_the_status_only(self, client: Client) -> None:
        assert (
            await client.open(encryption=await client.encryption(encryptedSymmetricKey=b64(bytes(256))))
        ).status == 201
        assert (await client.send(invoice())).code == 21180
        assert (await client.call("GET", f"/sessions/{client.session}")).body["status"]["code"] == 415


class TestRefusals:
    async def test_sizes_and_hashes_of_what_arrives(self, client: Client) -> None:
        assert (await client.send(invoice(), encryptedInvoiceSize=17)).code == 21402
        assert (await client.send(invoice(), encryptedInvoiceHash=b64(bytes(32)))).code == 21403
        assert (await client.send(invoice(), invoiceHash="short")).code == 21405
        assert (await client.call("POST", f"/sessions/online/{client.session}/invoices", data=b"{")).code == 21001
        assert (
            await client.open(formCode={"systemCode": "FA (2)", "schemaVersion": "1-0E", "value": "FA"})
        ).code == 21405

    async def test_hashes_of_what_was_encrypted(self, client: Client) -> None:
        done = await client.settled(await client.send(invoice(), invoiceHash=b64(bytes(32))))
        assert (done["status"]["code"], done["invoiceHash"]) == (430, b64(bytes(32)))

    async def test_what_the_session_s_key_does_not_open(self, client: Client) -> None:
        sent = await client.send(invoice(), encrypted=client.never_opens())
        assert (await client.settled(sent))["status"]["code"] == 435

    @pytest.mark.parametrize(
        ("xml", "code"),
        [
            (b"<Faktura/>", 450),
            (b"\xef\xbb\xbf" + invoice(), 450),
            (invoice().replace(b"<Faktura", b"<?php x?><Faktura"), 450),
            (invoice("FV/\u0085\u0086"), 450),
            (invoice("FV/\ufdd0"), 450),
            (invoice().replace(b"<P_15>123</P_15>", b""), 450),
            (invoice(issued_on="2026-11-25"), 450),
            (invoice().replace(b"<NIP>1111111111</NIP>", b"<NIP>1111111112</NIP>"), 450),
            (invoice().replace(b"<NIP>5265877635</NIP>", b"<NIP>1111111111</NIP>"), 410),
        ],
        ids=[
            "schema",
            "bom",
            "instruction",
            "control",
            "noncharacter",
            "no-total",
            "future",
            "nip",
            "foreign",
        ],
    )
    async def test_files_that_ksef_does_not_take(self, client: Client, xml: bytes, code: int) -> None:
        done = await client.settled(await client.send(xml))
        assert done["status"]["code"] == code
        assert len(client.sandbox.ledger) == 0

    async def test_nip_check_digits_as_on_the_test_environment(self, client: Client) -> None:
        client.sandbox.behaviour.check_identifiers = False
        wrong = invoice().replace(b"<NIP>1111111111</NIP>", b"<NIP>1111111112</NIP>")
        body = {"formCode": FORM_CODE, "encryption": await client.encryption()}
        asked = {"X-KSeF-Feature": "subject-identifier-validation"}
        opened = await client.call("POST", "/sessions/online", body, headers=asked)
        plain, client.session = client.session, opened.body["referenceNumber"]
        assert (await client.settled(await client.send(wrong)))["status"]["code"] == 450
        client.session = plain
        assert (await client.settled(await client.send(wrong)))["status"]["code"] == 200

    async def test_a_file_may_have_a_megabyte(self, client: Client) -> None:
        client.sandbox.behaviour.max_invoice_bytes = len(invoice())
        assert (await client.settled(await client.send(invoice())))["status"]["code"] == 200
        assert (await client.settled(await client.send(invoice("FV/11"))))["status"]["code"] == 430


class TestDuplicates:
    async def test_the_second_one_names_the_first(self, client: Client) -> None:
        first = await client.settled(await client.send(invoice()))
        second = await client.settled(await client.send(invoice(tail="<!-- other bytes -->")))
        assert second["status"]["code"] == 440
        assert second["status"]["extensions"] == {
            "originalSessionReferenceNumber": client.session,
            "originalKsefNumber": first["ksefNumber"],
        }
        assert second.get("ksefNumber") is None
        assert len(client.sandbox.ledger) == 1

    async def test_kind_and_number_make_the_key(self, client: Client) -> None:
        for number in ("FV/1", "FV/2"):
            assert (await client.settled(await client.send(invoice(number))))["status"]["code"] == 200
        correction = invoice("FV/1", kind="UPR")
        assert (await client.settled(await client.send(correction)))["status"]["code"] == 200

    @pytest.mark.parametrize(("mood", "same"), [("440_own", True), ("440_foreign", False)])
    async def test_planted_originals(self, client: Client, mood: str, same: bool) -> None:
        client.sandbox.mood(mood)
        xml = invoice()
        done = await client.settled(await client.send(xml))
        assert done["status"]["code"] == 440
        original = done["status"]["extensions"]["originalKsefNumber"]
        fetched = await client.call("GET", f"/invoices/ksef/{original}")
        assert (sha256(fetched.body) == sha256(xml)) is same
        earlier = done["status"]["extensions"]["originalSessionReferenceNumber"]
        assert earlier != client.session
        upo = await client.call("GET", f"/sessions/{earlier}/invoices/ksef/{original}/upo")
        assert (b64(sha256(xml)).encode() in upo.body) is same


class TestMoods:
    @pytest.mark.parametrize("code", ["405", "410", "415", "430", "435", "450", "500", "550"])
    async def test_forced_verdicts_strike_once(self, client: Client, code: str) -> None:
        client.sandbox.mood(code)
        assert (await client.settled(await client.send(invoice())))["status"]["code"] == int(code)
        assert (await client.settled(await client.send(invoice())))["status"]["code"] == 200

    async def test_150_for_long(self, client: Client) -> None:
        client.sandbox.mood("150", seconds=3600)
        client.sandbox.behaviour.access_token_lifetime = 7200
        await client.sign_in()
        sent = await client.send(invoice())
        assert (await client.settled(sent))["status"]["code"] == 150
        await client.clock.advance(3600)
        assert (await client.settled(sent))["status"]["code"] == 200

    async def test_statuses_out_of_order(self, client: Client) -> None:
        client.sandbox.mood("disorder")
        sent = await client.send(invoice())
        assert [(await client.settled(sent))["status"]["code"] for _ in range(4)] == [200, 150, 150, 200]


class TestTechnicalCorrection:
    REJECTED = invoice("FV/1").replace(b"<P_15>123</P_15>", b"")

    async def correct(self, client: Client, number: str = "FV/1", **changes: Any) -> tuple[int, int]:
        """Return (HTTP status, code) of a technical correction of REJECTED."""
        body: dict[str, Any] = {"offlineMode": True, "hashOfCorrectedInvoice": b64(sha256(self.REJECTED)), **changes}
        sent = await client.send(invoice(number), **body)
        return (202, (await client.settled(sent))["status"]["code"]) if sent.status == 202 else (400, sent.code)

    async def test_it_replaces_a_rejected_file_once(self, client: Client) -> None:
        await client.settled(await client.send(self.REJECTED, offlineMode=True))
        assert await self.correct(client) == (202, 200)
        assert await self.correct(client, "FV/2") == (400, 21166)

    async def test_a_failed_one_may_be_repeated(self, client: Client) -> None:
        await client.settled(await client.send(self.REJECTED, offlineMode=True))
        client.sandbox.mood("550")
        assert await self.correct(client) == (202, 550)
        assert await self.correct(client) == (202, 200)

    async def test_an_accepted_one_has_none(self, client: Client) -> None:
        await client.settled(await client.send(invoice("FV/9"), offlineMode=True))
        assert await self.correct(client, hashOfCorrectedInvoice=b64(sha256(invoice("FV/9")))) == (400, 21167)

    async def test_permissions_online_invoices_and_unknown_files_have_none(self, client: Client) -> None:
        client.sandbox.mood("410")
        await client.settled(await client.send(self.REJECTED, offlineMode=True))
        assert await self.correct(client) == (400, 21167)
        assert await self.correct(client, hashOfCorrectedInvoice=b64(bytes(32))) == (400, 21405)
        assert await self.correct(client, offlineMode=False) == (400, 21405)
        online = invoice("FV/5").replace(b"<P_15>123</P_15>", b"")
        await client.settled(await client.send(online))
        assert await self.correct(client, hashOfCorrectedInvoice=b64(sha256(online))) == (400, 21167)
