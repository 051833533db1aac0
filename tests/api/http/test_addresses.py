"""Whose request it is: what a trusted proxy says counts, and what anybody could have written does not."""

import ipaddress

import pytest
from servers import Server, log_server
from waiting import line_of

from api.http.addresses import client_of, network_of

PROXIES = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["203.0.113.9"], "192.0.2.7"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.5", ["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.5", ["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
        ("10.0.0.5", ["203.0.113.9, 10.1.1.1"], "203.0.113.9"),
        ("10.0.0.5", ["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
        ("10.0.0.5", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.5", ["[2001:db8::9]:4711"], "2001:db8::9"),
        ("10.0.0.5", ["2001:db8::9"], "2001:db8::9"),
        ("2001:db8:1::5", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.5", ["203.0.113.9, nonsense"], "10.0.0.5"),
        ("10.0.0.5", ["unknown"], "10.0.0.5"),
        ("10.0.0.5", [""], "10.0.0.5"),
        ("10.0.0.5", ["203.0.113.9, " * 3 + "\x00"], "10.0.0.5"),
    ],
)
def test_the_first_address_from_the_right_that_is_no_trusted_proxy(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert client_of(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", "none"),
        ("nonsense", "none"),
    ],
)
def test_the_network_of_an_address(host: str, network: str) -> None:
    assert network_of(host) == network


def test_a_forwarded_address_does_not_count_otherwise(server: Server) -> None:
    given = {"X-Forwarded-For": "203.0.113.9", "X-Request-Id": "through-nobody"}
    server.get("/healthz", by="nobody", headers=given)
    assert line_of(server, "through-nobody")["client"] == "127.0.0.1"


def test_a_forwarded_address_counts_when_the_proxy_is_trusted(tmp_path_factory: pytest.TempPathFactory) -> None:
    trusted = {"CHANGE_LEDGER_TRUSTED_PROXIES": '["127.0.0.0/8"]'}
    with log_server(tmp_path_factory.mktemp("proxied") / "var", **trusted) as proxied:
        given = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Request-Id": "through-the-proxy"}
        proxied.get("/healthz", by="nobody", headers=given)
        assert line_of(proxied, "through-the-proxy")["client"] == "203.0.113.9"
