"""What a scanner of security headers looks for."""

import re

from django.http import HttpResponseBase

HASH_WORKER = "/static/web/file_hash_worker.js"
# Where a page may do more, and what: the admin's theme and Swagger UI need it.
RELAXED = {
    "/admin/": {"script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'"},
    "/api/v1/docs/": {"style-src 'self' 'unsafe-inline'"},
    HASH_WORKER: {"script-src 'self' 'wasm-unsafe-eval'"},
}
# Other sites get nothing of these, whatever the browser's default is.
POLICY = {"default-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"}


def find_header_faults(response: HttpResponseBase, where: str) -> list[str]:
    """What a scanner of security headers would complain about."""
    headers = response.headers
    faults = []

    def expect(name: str, pattern: str) -> None:
        if not re.fullmatch(pattern, headers.get(name, "")):
            faults.append(f"{where}: {name}: {headers.get(name)}")

    expect("X-Content-Type-Options", "nosniff")
    expect("X-Frame-Options", "DENY")
    expect("Referrer-Policy", "same-origin|no-referrer")
    expect("Cross-Origin-Opener-Policy", "same-origin")
    expect("Cross-Origin-Resource-Policy", "same-origin")
    expect("Permissions-Policy", r"camera=\(self\)(, [a-z-]+=\(\)){5}")
    policy = set(headers["Content-Security-Policy"].split("; "))
    allowed = next((parts for start, parts in RELAXED.items() if where.startswith(start)), set())
    if not policy >= POLICY or any(re.search("unsafe|[*]|http", part) for part in policy - allowed):
        faults.append(f"{where}: {headers['Content-Security-Policy']}")
    is_page = headers.get("Content-Type", "").startswith("text/html")
    if "sandbox" not in policy and not is_page and where != HASH_WORKER:
        faults.append(f"{where}: not a page, and not sandboxed")
    return faults
