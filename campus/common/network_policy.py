"""Which network addresses the server may connect to on behalf of a user. Private ones must be allowed explicitly."""

import ipaddress
import socket
from collections.abc import Sequence

from campus.common.errors import UserError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# The standard library calls more addresses global than these: whatever is not yet assigned, and several of IANA's
# special purposes (https://www.iana.org/assignments/iana-ipv6-special-registry, and iana-ipv4-special-registry), among
# them those with an IPv4 address inside, to which a router may lead.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
SPECIAL_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnelling
        "192.88.99.0/24",  # relays of 6to4
        "192.175.48.0/24",  # AS112
        "192.0.0.0/24",  # protocol assignments
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
]


class UnresolvableHost(UserError):
    """The host name can't be resolved at the moment."""


class PrivateAddress(UserError):
    """The host has a private address outside the networks that the administrator allowed."""


def resolve_allowed_addresses(
    host: str, port: int, networks: Sequence[str], setting: str
) -> list[tuple[IPAddress, bool]]:
    """All addresses of a host name or address literal, IPv4 first, each with whether it is in one of the `networks`.

    `setting` is the environment variable that lists the networks, for the error message. Raises UnresolvableHost, or
    PrivateAddress if any address is neither public nor in the networks. Connect only to the returned addresses: the
    name may resolve to others a moment later.
    """
    try:
        resolved = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise UnresolvableHost("The name “{host}” leads nowhere.", host=host) from error
    allowed_networks = [ipaddress.ip_network(net) for net in networks]
    addresses = []
    for text in sorted(resolved, key=lambda text: (":" in str(text), text)):
        address: IPAddress = ipaddress.ip_address(str(text).split("%", 1)[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        is_allowed = any(address in network for network in allowed_networks)
        is_public = _is_public(address)
        if not (is_allowed or is_public):
            raise PrivateAddress(
                "“{host}” is inside the server's own network. The administrator can allow it ({setting}).",
                host=host,
                setting=setting,
            )
        addresses.append((address, is_allowed))
    return addresses


def _is_public(address: IPAddress) -> bool:
    """Whether the address is that of one host on the internet, and nothing else."""
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and (address.version == 4 or address in GLOBAL_UNICAST)
        and not any(address in network for network in SPECIAL_NETWORKS)
        # ISATAP: the last half of the address contains an IPv4 address.
        and not (address.version == 6 and int(address) >> 32 & 0xFCFF_FFFF == 0x5EFE)
    )
