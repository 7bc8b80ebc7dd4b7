"""Finds ONVIF devices near this machine: WS-Discovery (OASIS, 2005), as chapter 7 of ONVIF's core specification has it.

Questions and answers are datagrams, which anybody in the network segment may send: an answer is only believed about the
address that it comes from, and only if footage may be fetched from there.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from django.conf import settings

from campus.cctv.egress_policy import allowed_address
from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.source_listing import printable
from workers.stores import StoreUnavailable
from workers.stores.recorder import parse_xml, text_of

GROUP, PORT = "239.255.255.250", 3702
ROUNDS, ROUND_SECONDS = 2, 2.5  # a datagram may be lost, so each question is sent twice
MAX_ANSWERS, MAX_ANSWER_BYTES, MAX_DEVICES = 2000, 65535, 500
INTERFACES, ANY = Path("/sys/class/net"), b"\0\0\0\0"
# Cameras answer to the one, and recorders to the other.
TYPES = {
    "NetworkVideoTransmitter": "http://www.onvif.org/ver10/network/wsdl",
    "Device": "http://www.onvif.org/ver10/device/wsdl",
}
DISCOVERY, ADDRESSING = (
    f"http://schemas.xmlsoap.org/ws/{name}" for name in ("2005/04/discovery", "2004/08/addressing")
)
PROBE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    f'xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}"><s:Header>'
    f'<a:Action s:mustUnderstand="1">{DISCOVERY}/Probe</a:Action><a:MessageID>{{message_id}}</a:MessageID>'
    f"<a:ReplyTo><a:Address>{ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>"
    '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>'
    '<s:Body><d:Probe><d:Types xmlns:t="{namespace}">t:{name}</d:Types></d:Probe></s:Body></s:Envelope>'
)


def search_devices() -> list[tuple[str, str, str]]:
    """Address, name and hardware of each device that answers within a few seconds, by address.

    Devices whose address no source may have are left out. Raises UserError where that would be all of them.
    """
    if not settings.SOURCE_NETWORKS:
        raise UserError(
            "The administrator has not said yet in which networks there may be cameras (ROLLCALL_SOURCE_NETWORKS)."
        )
    message_ids = {f"urn:uuid:{uuid4()}": name for name in TYPES}
    probes = [
        PROBE.format(message_id=message_id, namespace=TYPES[name], name=name).encode()
        for message_id, name in message_ids.items()
    ]
    found: dict[str, tuple[str, str, str]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _round in range(ROUNDS):
            _send(sock, probes)
            for content, sender in _receive(sock, ROUND_SECONDS):
                for device in _read_answer(content, sender, message_ids):
                    if len(found) < MAX_DEVICES:
                        found.setdefault(device[0], device)
    return [found[address] for address in sorted(found)]


def _send(sock: socket.socket, probes: list[bytes]) -> None:
    """Ask in each network that this machine is part of, and in no other: multicasts pass no router with a TTL of 1."""
    for index in INTERFACES.glob("*/ifindex"):  # socket.if_nameindex needs netlink, which systemd's unit does not allow
        interface = struct.pack("=4s4si", ANY, ANY, int(index.read_text()))  # Linux' struct ip_mreqn
        with suppress(OSError):  # it has no address, or is down
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            for probe in probes:
                sock.sendto(probe, (GROUP, PORT))


def _receive(sock: socket.socket, seconds: float) -> Iterator[tuple[bytes, str]]:
    """The datagrams that arrive, each with the address of its sender."""
    deadline = time.monotonic() + seconds
    for _answer in range(MAX_ANSWERS):
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            content, (sender, _port) = sock.recvfrom(MAX_ANSWER_BYTES)
        except TimeoutError:
            return
        yield content, sender


def _read_answer(content: bytes, sender: str, message_ids: Any) -> Iterator[tuple[str, str, str]]:
    try:
        root = parse_xml(content)
    except StoreUnavailable:
        return
    if text_of(root, "Header/RelatesTo") not in message_ids:
        return
    for match in root.iterfind("Body/ProbeMatches/ProbeMatch"):
        scopes = text_of(match, "Scopes").split()
        addresses = (_source_address(url, sender) for url in text_of(match, "XAddrs").split())
        if address := next(filter(None, addresses), None):
            yield address, _scope(scopes, "name"), _scope(scopes, "hardware")


def _source_address(url: str, sender: str) -> str | None:
    """The address that a source would have, if it is the sender's and may be used."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname != sender:
            return None
        address = f"{parts.scheme}://{sender}" + (f":{parts.port}" if parts.port else "")
        return allowed_address(Source(kind=Source.Kind.ONVIF, address=address)).origin
    except (ValueError, UserError):
        return None


def _scope(scopes: list[str], name: str) -> str:
    prefix = f"onvif://www.onvif.org/{name}/"
    return next((printable(unquote(scope[len(prefix) :])) for scope in scopes if scope.startswith(prefix)), "")
