"""GET /metrics of the hub: Prometheus text.

Labels: NIPs, shops and names of tills as headquarters gave them, and the few versions that most tills run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agent.domain.calendar import end_of_day
from agent.hub.domain.fleet import Grade, TillView
from agent.hub.domain.states import OPEN
from agent.hub.services.fleet import FleetView

MOST_VERSIONS = 20
"""Versions that are named; what a till says of itself is no bound. Those of the other tills are one, "other"."""


def render(view: FleetView, rate_limited: Mapping[str, int]) -> bytes:
    """Return the whole page. ``rate_limited``: by NIP, calls of this process that KSeF turned away (429)."""
    registry = CollectorRegistry()
    refused = CounterMetricFamily(
        "ksef_hub_rate_limited_calls", "Calls of this process that KSeF turned away (429).", labels=["nip"]
    )
    for seller in view.overview.sellers:
        refused.add_metric([seller.nip], rate_limited.get(seller.nip, 0))
    registry.register(_Families([*_families(view), refused]))
    return generate_latest(registry)


class _Families(Collector):
    """Families that are ready."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = [each for each in families if each.samples]

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def _gauge(name: str, text: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ksef_hub_{name}", text, labels=list(labels))


def _families(view: FleetView) -> Iterator[GaugeMetricFamily]:
    invoices = _gauge("open_invoices", "Invoices that are not in KSeF yet, by state.", ["nip", "state"])
    up = _gauge("ksef_up", "Whether KSeF answers the hub for a NIP.", ["nip"])
    led = _gauge("nip_led", "Whether a process of the hub talks to KSeF for a NIP.", ["nip"])
    left = _gauge("sends_left_in_hour", "Single sends that KSeF's limits still allow in this hour.", ["nip"])
    used = _gauge("certificates_in_use", "Certificates that a NIP holds, of those that KSeF allows it.", ["nip"])
    certificates = _gauge("certificates_left", "Certificates that KSeF still allows a NIP, of 100.", ["nip"])
    requests = _gauge("certificate_requests_left", "Requests for certificates that KSeF still allows, of 300.", ["nip"])
    for seller in view.overview.sellers:
        if seller.certificates.certificates_in_use is not None:
            used.add_metric([seller.nip], seller.certificates.certificates_in_use)
        if seller.certificates.certificates_left is not None:
            certificates.add_metric([seller.nip], seller.certificates.certificates_left)
        if seller.certificates.requests_left is not None:
            requests.add_metric([seller.nip], seller.certificates.requests_left)
        for state in OPEN:
            invoices.add_metric([seller.nip, state.value], seller.open.get(state.value, 0))
        up.add_metric([seller.nip], float(seller.ksef == "up"))
        led.add_metric([seller.nip], float(seller.leader is not None))
        budget = seller.budget.get("left_hour")
        if isinstance(budget, int):
            left.add_metric([seller.nip], budget)
    yield from (invoices, up, led, left, used, certificates, requests)
    yield from _of_tills(view)
    issued = _gauge("shop_invoices_of_day", "Invoices handed over within a day.", ["shop"])
    online = _gauge("shop_online_invoices_of_day", "Those of them that had their number at the counter.", ["shop"])
    for share in view.shares:
        issued.add_metric([share.shop], share.count)
        online.add_metric([share.shop], share.online)
    yield from (issued, online)
    versions = _gauge("till_versions", "Tills by the version they run.", ["version"])
    common = view.versions.most_common(MOST_VERSIONS)
    for version, count in common:
        versions.add_metric([version], count)
    if others := view.versions.total() - sum(count for _, count in common):
        versions.add_metric(["other"], others)
    problems = _gauge("problems", "Problems of the hub itself.", ["code", "severity"])
    for trouble in view.troubles:
        problems.add_metric([trouble.code, trouble.grade.name.lower()], 1)
    draining = _gauge("draining", "Whether the hub takes nothing new.")
    draining.add_metric([], float(view.overview.draining))
    copied = _gauge("backup_timestamp_seconds", "When the newest copy of the SQLite database was made.")
    if view.overview.backup_at is not None:
        copied.add_metric([], view.overview.backup_at.timestamp())
    silent = _gauge("till_silent_after_seconds", "A till that was not heard for so long is silent (silent_minutes).")
    silent.add_metric([], view.silent.total_seconds())
    yield from (versions, problems, draining, copied, silent)


def _of_tills(view: FleetView) -> Iterator[GaugeMetricFamily]:
    labels = ["nip", "shop", "till"]
    heard = _gauge("till_heard_timestamp_seconds", "When a till was heard last.", labels)
    unsent = _gauge("till_unsent_invoices", "Invoices without KSeF's number, as the till last said.", labels)
    alone = _gauge("till_alone_invoices", "Of them those that the hub does not have, as the till last said.", labels)
    refused = _gauge("till_unread_refusals", "Invoices that KSeF refused, and the till has not read it.", labels)
    deadline = _gauge("till_next_deadline_timestamp_seconds", "The end of the nearest day to send by.", labels)
    troubles = _gauge("till_problems", "Problems of a till.", [*labels, "severity"])
    duplicate = _gauge("till_duplicate", "Whether another till was heard under this name.", labels)
    for values, tills in _by_name(view.tills).items():
        if times := [each.heard_at for each in tills if each.heard_at is not None]:
            heard.add_metric(values, max(times).timestamp())
        unsent.add_metric(values, sum(max(each.unsent, each.held) for each in tills))
        alone.add_metric(values, sum(each.alone for each in tills))
        refused.add_metric(values, sum(each.refused for each in tills))
        if days := [each.deadline for each in tills if each.deadline is not None]:
            deadline.add_metric(values, end_of_day(min(days)).timestamp())
        found = [trouble for each in tills for trouble in each.troubles]
        for grade in (Grade.CRITICAL, Grade.WARNING):
            count = sum(trouble.grade is grade for trouble in found)
            troubles.add_metric([*values, grade.name.lower()], count)
        duplicate.add_metric(values, float(any(trouble.code == "till-duplicate" for trouble in found)))
    yield from (heard, unsent, alone, refused, deadline, troubles, duplicate)


def _by_name(tills: Iterable[TillView]) -> dict[tuple[str, str, str], list[TillView]]:
    """Return tills by NIP, shop and name: one that was revoked may have had the name of one in use."""
    found: dict[tuple[str, str, str], list[TillView]] = defaultdict(list)
    for each in tills:
        found[each.till.nip, each.till.shop, each.till.name].append(each)
    return found
