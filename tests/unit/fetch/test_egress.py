from ipaddress import ip_address, ip_network

import pytest

from scrapemaster.domain.errors import GiveUpPage, InvalidUrl
from scrapemaster.domain.url import host_of, parse_url
from scrapemaster.fetch.egress import BLOCKED_PORTS, EgressPolicy, special_purpose

DENIED = """
127.0.0.1 127.255.255.255 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 169.254.0.1 169.254.169.254 100.64.0.1
100.127.255.255 0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 255.255.255.255 240.0.0.1 192.0.2.1 198.51.100.7 203.0.113.9 198.18.0.1
192.0.0.8 192.88.99.1 :: ::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:10.0.0.1
64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 ::127.0.0.1 ::8.8.8.8 100::1 3fff::1 5f00::1 4000::1
""".split()
ALLOWED = "8.8.8.8 1.1.1.1 93.184.216.34 172.15.0.1 172.32.0.1 100.63.255.255 100.128.0.1 2606:4700::1111 2a00:1450::1 64:ff9b::808:808".split()


@pytest.mark.parametrize("address", DENIED)
def test_H01_special_addresses_are_denied(address):
    assert EgressPolicy().denial(ip_address(address), 80) is not None
    assert special_purpose(ip_address(address)) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address):
    assert EgressPolicy().denial(ip_address(address), 443) is None


@pytest.mark.parametrize(
    "spelling",
    ["http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.0.1./", "http://127。0。0。1/",
     "http://１２７.0.0.1/", "http://0x7f.1/", "http:\\\\127.0.0.1\\", "http://127.0.0.1\t/", "http://12\n7.0.0.1/", "http://[::ffff:7f00:1]/",
     "http://[0:0:0:0:0:0:0:1]/", "http://017700000001/"],
)  # fmt: skip
async def test_H02_every_spelling_of_a_private_address_is_denied(spelling):
    url = parse_url(spelling)

    with pytest.raises(GiveUpPage) as caught:
        await EgressPolicy().addresses(host_of(url), 80)

    assert caught.value.reason == "egress_denied"


def test_H02_userinfo_is_refused():
    with pytest.raises(InvalidUrl):
        parse_url("http://good.example@127.0.0.1/")


@pytest.mark.parametrize(
    "name", ["metadata.google.internal", "METADATA.google.internal.", "169.254.169.254", "fd00:ec2::254"]
)
async def test_H03_cloud_metadata_is_denied_by_name_and_by_address(name):
    async def anywhere(_host):
        return [ip_address("8.8.8.8")]

    with pytest.raises(GiveUpPage):
        await EgressPolicy(resolver=anywhere).addresses(name, 80)


@pytest.mark.parametrize("port", [22, 25, 6379, 11211, 27017, 5060, 1])
def test_H09_ports_of_other_protocols_are_refused(port):
    assert port in BLOCKED_PORTS
    assert EgressPolicy([ip_network("0.0.0.0/0")]).denial(ip_address("8.8.8.8"), port) is not None


def test_H10_exactly_the_named_networks_are_opened():
    policy = EgressPolicy([ip_network("10.1.0.0/16")])

    assert policy.denial(ip_address("10.1.255.255"), 80) is None
    for other in ("10.2.0.1", "10.0.255.255", "127.0.0.1", "::ffff:10.1.0.1", "169.254.169.254"):
        assert policy.denial(ip_address(other), 80) is not None
