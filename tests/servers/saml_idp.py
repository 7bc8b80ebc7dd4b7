"""An identity provider on pysaml2: sign-in by redirect, logout by redirect and SOAP, and a federation around it (MDQ,
discovery). It lets everybody in at once, as `attributes`.
"""

import tempfile
import threading
import time
from copy import deepcopy
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor, sign_entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NAMEID_FORMAT_TRANSIENT, NameID
from saml2.server import Server
from saml2.sigver import security_context

from campus.identity.saml.keys import END_OF_KEY, make_key_pair
from campus.identity.saml.service_provider import RSA_SHA256, SHA256

SCOPE = "example.edu"
ADA = {
    "pairwise-id": ["ada-at-rollcall@example.edu"],
    "eduPersonPrincipalName": ["ada@example.edu"],
    "eduPersonScopedAffiliation": ["staff@example.edu"],
    "givenName": ["Ada"],
    "sn": ["Byron"],
    "mail": ["ada@example.edu"],
}
MFA = "https://refeds.org/profile/mfa"


class SamlIdp:
    """At `url`, once its service provider has been told to it: `trust(metadata)`. `with` starts it."""

    attributes: dict[str, Any]
    options: dict[str, Any]
    context: str
    name_id: NameID
    answers: list[str]
    logged_out: list[str]
    is_down: bool
    ahead: float  # seconds by which its clock is

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self.folder = Path(tempfile.mkdtemp())
        key, end, certificate = make_key_pair().partition(END_OF_KEY)
        (self.folder / "key.pem").write_text(key + end)
        self.certificate = certificate
        (self.folder / "certificate.pem").write_text(certificate)
        self.__dict__.update(self.defaults())
        self.sp = ""
        handler = type("Handler", (_Handler,), {"idp": self})
        self.server = ThreadingHTTPServer((host, 0), handler)
        self.url = f"http://{host}:{self.server.server_address[1]}"
        self.entity_id = f"{self.url}/metadata"
        self._build()

    @staticmethod
    def defaults() -> dict[str, Any]:
        """As what it lets people in, and how it answers."""
        return {
            "attributes": dict(ADA),
            "options": {
                "sign_assertion": True,
                "sign_response": False,
                "sign_alg": RSA_SHA256,
                "digest_alg": SHA256,
            },
            "context": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            "name_id": NameID(format=NAMEID_FORMAT_TRANSIENT, text="_transient-of-ada"),
            "answers": [],  # responses, as the browser posts them
            "logged_out": [],  # kinds of messages that said so
            "is_down": False,
            "ahead": 0.0,
        }

    def _build(self) -> None:
        config: dict[str, Any] = {
            "entityid": self.entity_id,
            "key_file": str(self.folder / "key.pem"),
            "cert_file": str(self.folder / "certificate.pem"),
            "encryption_keypairs": [
                {"key_file": str(self.folder / "key.pem"), "cert_file": str(self.folder / "certificate.pem")}
            ],
            "metadata": {"inline": [self.sp]} if self.sp else {},
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [(f"{self.url}/sso", BINDING_HTTP_REDIRECT)],
                        "single_logout_service": [
                            (f"{self.url}/slo", BINDING_HTTP_REDIRECT),
                            (f"{self.url}/slo/soap", BINDING_SOAP),
                        ],
                    },
                    "scope": [SCOPE],
                    "want_authn_requests_signed": True,
                    "name_id_format": [NAMEID_FORMAT_TRANSIENT, NAMEID_FORMAT_PERSISTENT],
                    "policy": {"default": {"lifetime": {"minutes": 5}, "fail_on_missing_requested": False}},
                }
            },
        }
        self.config = IdPConfig().load(config)
        self.saml = Server(config=self.config)

    def trust(self, metadata: str) -> None:
        """Know the service provider."""
        self.sp = metadata
        self._build()

    @property
    def metadata(self) -> str:
        return str(entity_descriptor(self.config))

    @property
    def signed_metadata(self) -> str:
        """As a federation hands them out; here, the identity provider's key is the federation's."""
        _element, xml = sign_entity_descriptor(
            entity_descriptor(self.config), None, security_context(self.config), RSA_SHA256, SHA256
        )
        return str(xml)

    def _read(self, query: dict[str, str]) -> Any:
        return self.saml.parse_authn_request(
            query["SAMLRequest"],
            BINDING_HTTP_REDIRECT,
            relay_state=query.get("RelayState"),
            sigalg=query["SigAlg"],
            signature=query["Signature"],
        )

    def read_request(self, address: str) -> Any:
        """The signed request for a sign-in in this address."""
        return self._read(_fields(address)).message

    def read_logout(self, address: str) -> str:
        """Of whom the signed request in this address ends the session."""
        query = _fields(address)
        read = self.saml.parse_logout_request(
            query["SAMLRequest"],
            BINDING_HTTP_REDIRECT,
            relay_state=query.get("RelayState"),
            sigalg=query["SigAlg"],
            signature=query["Signature"],
        )
        return str(read.message.name_id.text)

    def answer(self, query: dict[str, str]) -> str:
        """The response to a signed request that came by redirect, in base64."""
        relay_state = query.get("RelayState", "")
        received = self._read(query)
        details = self.saml.response_args(received.message, [BINDING_HTTP_POST])
        response = self.saml.create_authn_response(
            deepcopy(self.attributes),  # pysaml2 adds to the lists
            userid="ada",
            name_id=self.name_id,
            authn={"class_ref": self.context, "authn_auth": self.entity_id},
            session_not_on_or_after=None,
            **details | self.options,
        )
        form = self.saml.apply_binding(BINDING_HTTP_POST, str(response), details["destination"], relay_state, True)
        self.form = form["data"]
        message = form["data"].partition('name="SAMLResponse" value="')[2].partition('"')[0]
        self.answers.append(message)
        return message

    def logout_request(self, destination: str, binding: str) -> str:
        """A signed request to end the session of the last sign-in: an address, or an envelope."""
        _id, message = self.saml.create_logout_request(
            destination,
            self.config.metadata.keys()[0],
            name_id=self.name_id,
            sign=binding == BINDING_SOAP,
            sign_alg=RSA_SHA256,
            digest_alg=SHA256,
        )
        if binding == BINDING_SOAP:
            xml = str(message).partition("?>")[2] or str(message)
            return (
                f'<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>{xml}</S:Body></S:Envelope>'
            )
        arguments = self.saml.apply_binding(binding, str(message), destination, "here", sign=True, sigalg=RSA_SHA256)
        return str(dict(arguments["headers"])["Location"])

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _fields(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


class _Handler(BaseHTTPRequestHandler):
    idp: SamlIdp

    def do_GET(self) -> None:
        address, fields = urlsplit(self.path), _fields(self.path)
        if self.idp.is_down:
            self._send(503, "down")
        elif address.path == "/metadata":
            self._send(200, self.idp.metadata)
        elif unquote(address.path) == f"/mdq/entities/{self.idp.entity_id}":
            self._send(200, self.idp.signed_metadata)
        elif address.path == "/disco":
            back = fields["return"]
            name = urlencode({fields.get("returnIDParam", "entityID"): self.idp.entity_id})
            self._send(302, "", Location=f"{back}{'&' if '?' in back else '?'}{name}")
        elif address.path == "/sso":
            self.idp.answer(fields)
            self._send(200, self.idp.form, content_type="text/html")
        elif address.path == "/slo":
            kind = "SAMLResponse" if "SAMLResponse" in fields else "SAMLRequest"
            self.idp.logged_out.append(kind)
            self._send(200, f"<h1>{escape(kind)}</h1>", content_type="text/html")
        else:
            self._send(404, "")

    def _send(
        self, status: int, text: str, *, content_type: str = "application/samlmetadata+xml", **headers: str
    ) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.idp.ahead)

    def log_message(self, *_: object) -> None:
        pass
