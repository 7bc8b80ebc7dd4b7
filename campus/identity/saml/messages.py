"""What arrives by SAML: read without entities, bounded in size, and each signature where it has to be.

Signatures are wrapped by giving a reader another element than the one that was signed. So a message may have one
assertion only, no id twice, and signatures of nothing but itself and its assertion.
"""

import base64
import binascii
import tempfile
import zlib
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from campus.identity.sign_in import SignInError

MAX_MESSAGE_BYTES: Final = 512 * 1024
MAX_ELEMENTS: Final = 20_000

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XENC = "{http://www.w3.org/2001/04/xmlenc#}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SIGNATURE_METHODS: Final = {f"{_MORE}{key}-sha{bits}" for key in ("rsa", "ecdsa") for bits in (256, 384, 512)}
DIGEST_METHODS: Final = {f"{XENC[1:-1]}sha256", f"{_MORE}sha384", f"{XENC[1:-1]}sha512"}
# RSA with the padding of PKCS #1 version 1.5 tells its key to whoever may ask often enough.
KEY_TRANSPORTS: Final = {f"{XENC[1:-1]}rsa-oaep-mgf1p", "http://www.w3.org/2009/xmlenc11#rsa-oaep"}


def decode(text: str) -> bytes:
    """The message of a form. Raises SignInError."""
    if len(text) > MAX_MESSAGE_BYTES * 4 // 3 + 4:
        raise _too_long()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignInError("The message is not valid base64.") from error


def inflate(text: str) -> bytes:
    """The message of an address. Raises SignInError."""
    try:
        stream = zlib.decompressobj(-15)
        message = stream.decompress(decode(text), MAX_MESSAGE_BYTES + 1)
    except zlib.error as error:
        raise SignInError("The message is not compressed as it should be (DEFLATE).") from error
    if len(message) > MAX_MESSAGE_BYTES:
        raise _too_long()
    return message


def _too_long() -> SignInError:
    return SignInError("The message is longer than {n} bytes.", n=MAX_MESSAGE_BYTES)


def parse(message: bytes | str) -> Element:
    """The root of a document without a document type, which could have entities. Raises SignInError."""
    import defusedxml.ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root: Element = defusedxml.ElementTree.fromstring(message, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise SignInError("The message is not XML that may be read ({why}).", why=type(error).__name__) from error
    if sum(1 for _element in root.iter()) > MAX_ELEMENTS:
        raise SignInError("The message has more than {n} elements.", n=MAX_ELEMENTS)
    return root


def check_response(root: Element) -> None:
    """Raise SignInError unless this is a response with one assertion, and signatures where they belong."""
    if root.tag != f"{SAMLP}Response":
        raise SignInError("Expected: a SAML response. Received: {received}.", received=root.tag)
    encrypted = [element for element in root.iter() if element.tag == f"{SAML}EncryptedAssertion"]
    assertions = [element for element in root.iter() if element.tag == f"{SAML}Assertion"]
    holder = encrypted[0] if encrypted else root
    if (
        len(encrypted) > 1
        or len(assertions) > 1
        or not (encrypted or assertions)
        or any(element not in list(root) for element in encrypted)
        or any(element not in list(holder) for element in assertions)
    ):
        raise SignInError("Expected: a response with one assertion. Received: {n}.", n=len(encrypted) + len(assertions))
    check_signatures(root, [root, *assertions])
    for method in root.iter(f"{XENC}EncryptionMethod"):
        if "rsa" in method.get("Algorithm", "") and method.get("Algorithm") not in KEY_TRANSPORTS:
            raise SignInError(
                "The key is encrypted by {algorithm}. Expected: RSA-OAEP.", algorithm=method.get("Algorithm")
            )


def check_signatures(root: Element, signed: Iterable[Element]) -> None:
    """Raise SignInError unless each signature is a child of one of these elements, and of that element alone.

    It says nothing of whether a signature is right.
    """
    ids = [element.get(name) for element in root.iter() for name in ("ID", "Id", XML_ID) if element.get(name)]
    if len(ids) != len(set(ids)):
        raise SignInError("The message has an id twice.")
    where = {child: parent for parent in signed for child in parent if child.tag == f"{DS}Signature"}
    parents = list(where.values())
    if {*where} != {*root.iter(f"{DS}Signature")} or len(parents) != len({*parents}):
        raise SignInError("The message has a signature where none belongs.")
    for signature, parent in where.items():
        references = [reference.get("URI") for reference in signature.iter(f"{DS}Reference")]
        if references != [f"#{parent.get('ID')}"] or signature.find(f".//{DS}Object") is not None:
            raise SignInError("The message has a signature of something other than the element that it is in.")
        methods = {method.get("Algorithm", "") for method in signature.iter(f"{DS}SignatureMethod")}
        digests = {method.get("Algorithm", "") for method in signature.iter(f"{DS}DigestMethod")}
        for algorithm in (methods - SIGNATURE_METHODS) | (digests - DIGEST_METHODS):
            raise SignInError("The message is signed by {algorithm}. Expected: SHA-256 or longer.", algorithm=algorithm)


def has_valid_signature(document: bytes, element: Element, certificates: Iterable[str]) -> bool:
    """Whether the element, of this document, is signed by the key of one of the certificates (PEM).

    `check_signatures` was there before.
    """
    from saml2.sigver import CryptoBackendXmlSec1, SigverError, get_xmlsec_binary

    if element.find(f"{DS}Signature") is None:
        return False
    xmlsec = CryptoBackendXmlSec1(get_xmlsec_binary())
    name = element.tag.removeprefix("{").replace("}", ":")
    for certificate in certificates:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(certificate)
            file.flush()
            try:
                if xmlsec.validate_signature(document, file.name, "pem", name, element.get("ID")):
                    return True
            except SigverError:
                continue
    return False
