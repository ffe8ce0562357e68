"""Tests of sinks: the address of a reference, an address, or both."""

from typing import Any

import pytest

from sources.sink import EMPTY, INVALID, NOT_FOUND, SinkUnresolved, address, reference

BROKER = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "inmem-broker"}
SERVICE = {"apiVersion": "v1", "kind": "Service", "name": "direktiv-eventing"}
URL = "http://broker-ingress.knative-eventing.svc.cluster.local/ns/inmem-broker"


def resolve(sink: dict[str, Any], referent: dict[str, Any] | None = None) -> str:
    """Return the address of *sink* of a source in the namespace `ns`."""
    return address(sink, reference(sink, "ns"), referent, "cluster.local")


@pytest.mark.parametrize(
    ("sink", "referent", "expected"),
    [
        ({"uri": "http://a.example/b"}, None, "http://a.example/b"),
        ({"ref": SERVICE}, {}, "http://direktiv-eventing.ns.svc.cluster.local"),
        ({"ref": {**SERVICE, "namespace": "other"}}, {}, "http://direktiv-eventing.other.svc.cluster.local"),
        ({"ref": SERVICE, "CACerts": "pem"}, {}, "https://direktiv-eventing.ns.svc.cluster.local"),
        (
            {"ref": SERVICE, "uri": "/hello?filter=test"},
            {},
            "http://direktiv-eventing.ns.svc.cluster.local/hello?filter=test",
        ),
        ({"ref": BROKER}, {"status": {"address": {"url": URL}}}, URL),
        ({"ref": BROKER}, {"status": {"addresses": [{"name": "https", "url": "https://a"}, {"url": URL}]}}, "https://a"),
        (
            {"ref": {**BROKER, "address": "http"}},
            {"status": {"addresses": [{"name": "https", "url": "https://a"}, {"name": "http", "url": URL}]}},
            URL,
        ),
        ({"ref": BROKER, "uri": "sub"}, {"status": {"address": {"url": "http://a/b/c"}}}, "http://a/b/sub"),
        ({"ref": BROKER, "uri": "/sub"}, {"status": {"address": {"url": "http://a/b/c"}}}, "http://a/sub"),
    ],
    ids=[
        "uri", "service", "service elsewhere", "service with CA", "service and uri", "address", "first of addresses",
        "named address", "relative path", "absolute path",
    ],
)  # fmt: skip
def test_sink_resolves(sink: dict[str, Any], referent: dict[str, Any] | None, expected: str) -> None:
    assert resolve(sink, referent) == expected


@pytest.mark.parametrize(
    ("sink", "referent", "reason", "message"),
    [
        ({"ref": BROKER}, None, NOT_FOUND, 'failed to get object ns/inmem-broker: Broker "inmem-broker" not found'),
        ({"ref": BROKER}, {}, EMPTY, "address not set for Kind = Broker, Namespace = ns, Name = inmem-broker"),
        ({"ref": BROKER}, {"status": {"address": {"CACerts": "x"}}}, EMPTY, "URL missing in address of Kind = Broker"),
        (
            {"ref": BROKER},
            {"status": {"address": {"url": "/x"}}},
            EMPTY,
            "hostname missing in address of Kind = Broker",
        ),
        (
            {"ref": {**BROKER, "address": "x"}},
            {"status": {"address": {"url": URL}}},
            EMPTY,
            'address with name "x" not found for Kind = Broker',
        ),
        ({"uri": "/x"}, None, INVALID, 'URI is not absolute (both scheme and host should be non-empty): "/x"'),
        ({}, None, EMPTY, 'URI is not absolute (both scheme and host should be non-empty): ""'),
    ],
    ids=["absent", "no address", "no url", "no host", "no such address", "relative", "empty"],
)
def test_sink_without_an_address_has_a_reason(
    sink: dict[str, Any], referent: dict[str, Any] | None, reason: str, message: str
) -> None:
    with pytest.raises(SinkUnresolved) as unresolved:
        resolve(sink, referent)

    assert unresolved.value.reason == reason
    assert str(unresolved.value).startswith(message)
