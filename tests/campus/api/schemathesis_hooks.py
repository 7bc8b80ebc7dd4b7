"""How schemathesis sends a body of bytes; it reads this module itself."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def octets(_context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
