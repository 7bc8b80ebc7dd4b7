"""Devices that answer questions of WS-Discovery, which reach them by multicast on this machine."""

import re
import socket
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

GROUP = "239.255.255.250"
MATCHES = (
    '<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
    'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><SOAP-ENV:Header><wsa:MessageID>urn:uuid:1</wsa:MessageID>'
    "<wsa:RelatesTo>{relates_to}</wsa:RelatesTo><wsa:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
    "</wsa:To><wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action></SOAP-ENV:Header>"
    "<SOAP-ENV:Body><d:ProbeMatches>{matches}</d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
MATCH = (
    "<d:ProbeMatch><wsa:EndpointReference><wsa:Address>urn:uuid:7</wsa:Address></wsa:EndpointReference>"
    "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes><d:XAddrs>{addresses}</d:XAddrs>"
    "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
)


def matches(*devices: str, relates_to: str = "{relates_to}") -> str:
    """An answer with devices that `match` describes."""
    return MATCHES.format(relates_to=relates_to, matches="".join(devices))


def match(addresses: str, scopes: Sequence[str] = ()) -> str:
    """A device. In its addresses `{ip}` is where it is."""
    return MATCH.format(addresses=addresses, scopes=" ".join(f"onvif://www.onvif.org/{scope}" for scope in scopes))


class Devices:
    """`answers` is what they send to each question: `{relates_to}` is its identifier, `{ip}` this machine's address.
    `asked_for` has the type of each question.
    """

    def __init__(self, port: int = 0) -> None:
        self.answers: list[str] = []
        self.asked_for: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("", port))
        self.port = self.socket.getsockname()[1]
        for index in Path("/sys/class/net").glob("*/ifindex"):
            membership = struct.pack("=4s4si", socket.inet_aton(GROUP), b"\0" * 4, int(index.read_text()))
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self) -> None:
        while True:
            content, (ip, port) = self.socket.recvfrom(65535)
            if not content:
                return
            question = content.decode()
            self.asked_for += re.findall(r":(\w+)</\w+:Types>", question)
            relates_to = re.findall(r"MessageID>([^<]+)<", question)[0]
            for answer in self.answers:
                text = answer.replace("{relates_to}", relates_to).replace("{ip}", ip)
                self.socket.sendto(text.encode(), (ip, port))

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.socket.close()
