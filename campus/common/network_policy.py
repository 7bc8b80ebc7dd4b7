"""Where a name on the network leads, and whether we may go there. Nobody reaches our own services through us."""

import ipaddress
import socket
from collections.abc import Sequence

from campus.common.errors import UserError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses that stand for others, private ones among them: NAT64 and 6to4.
TRANSLATED_NETWORKS = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")]


class UnresolvableHost(UserError):
    """The name has no address, as far as we can find out now."""


class PrivateAddress(UserError):
    """One of the name's addresses is private and in no network that the administrator listed."""


def resolve_allowed_addresses(
    host: str, port: int, networks: Sequence[str], setting: str
) -> list[tuple[IPAddress, bool]]:
    """All addresses of a name or of a literal, IPv4 first, each with whether it lies in one of the `networks`.

    `setting` names the environment variable of the networks. Raises LeadsNowhere, or Inside if any address is neither
    public nor in the networks. Connect to what is returned and to nothing else: the name may lead elsewhere a moment
    later.
    """
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise UnresolvableHost("The name “{host}” leads nowhere.", host=host) from error
    listed = [ipaddress.ip_network(net) for net in networks]
    addresses = []
    for text in sorted(found, key=lambda text: (":" in str(text), text)):
        address: IPAddress = ipaddress.ip_address(str(text).split("%", 1)[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        inside = any(address in network for network in listed)
        public = (
            address.is_global
            and not address.is_multicast
            and not any(address in network for network in TRANSLATED_NETWORKS)
        )
        if not (inside or public):
            raise PrivateAddress(
                "“{host}” is inside the server's own network. The administrator can allow it ({setting}).",
                host=host,
                setting=setting,
            )
        addresses.append((address, inside))
    return addresses
