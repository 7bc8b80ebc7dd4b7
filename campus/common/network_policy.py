"""Which network addresses the server may connect to on behalf of a user. Private ones must be allowed explicitly."""

import ipaddress
import socket
from collections.abc import Sequence

from campus.common.errors import UserError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# NAT64 and 6to4: a public address that may be translated to a private IPv4 address.
TRANSLATED_NETWORKS = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")]


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
        is_public = (
            address.is_global
            and not address.is_multicast
            and not any(address in network for network in TRANSLATED_NETWORKS)
        )
        if not (is_allowed or is_public):
            raise PrivateAddress(
                "“{host}” is inside the server's own network. The administrator can allow it ({setting}).",
                host=host,
                setting=setting,
            )
        addresses.append((address, is_allowed))
    return addresses
