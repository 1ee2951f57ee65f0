"""Hub and till a version apart, either way: unknown fields are passed over, missing ones have their defaults."""

from __future__ import annotations

from agent.hub_contract.heartbeat import heartbeat_from_json, news_from_json
from agent.hub_contract.offers import claims_from_query, offer_from_line, offers_to_lines
from agent.hub_contract.status import line_from_json, status_from_json

NEWER = {"from_the_future": {"x": [1]}}


def test_a_hub_takes_a_till_that_says_less_and_one_that_says_more() -> None:
    least = claims_from_query({"offline": "true", "group": "g"})
    assert (least.mode, least.urgent, least.version, least.deadline) == ("", 0.0, 1, None)
    assert claims_from_query({"offline": "true", "group": "g", "from_the_future": "x"}) == least
    (line,) = offers_to_lines([(bytes(32), b"<Faktura/>", least)]).splitlines()
    assert offer_from_line(line.replace(b'"mode":"",', b'"from_the_future":1,')) == (bytes(32), b"<Faktura/>", least)
    beat = {"database": "d", "process": "p", "version": "0.1", "started_at": "2026-11-24T08:00:00+00:00", "unsent": 0}
    assert heartbeat_from_json({**beat, **NEWER}).health == {}


def test_a_till_takes_a_hub_that_says_less_and_one_that_says_more() -> None:
    news = news_from_json({"now": "2026-11-24T08:00:00+00:00", **NEWER})
    assert (news.budget, news.latarnia, news.offline_serial) == (None, None, None)
    status = status_from_json({"sha256": "00" * 32, "state": "waiting", **NEWER})
    assert not status.decided
    unknown = status_from_json({"sha256": "00" * 32, "state": "of-the-future"})
    assert not unknown.decided, "a state nobody knows is none that ends anything"
    line = {"cursor": "1.x", "at": "2026-11-24T08:00:00+00:00", "kind": "of-the-future", "invoice": NEWER}
    told = line_from_json({**line, "invoice": {"sha256": "00" * 32, "state": "sent", **NEWER}})
    assert told.cursor == "1.x"
