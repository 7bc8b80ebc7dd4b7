"""A second identity provider, which has nothing of pysaml2 and xmlsec1: its messages are written out here from the
standard, and signed by signxml. Each value in them can be another one.
"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod, XMLSigner
from signxml.algorithms import CanonicalizationMethod

from campus.identity.saml.keys import END_OF_KEY, make_key_pair

ENTITY_ID = "https://idp.second.example.org/shibboleth"
SSO = "https://idp.second.example.org/sso"

METADATA = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="m1" entityID="{entity_id}">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:Extensions>
      <shibmd:Scope xmlns:shibmd="urn:mace:shibboleth:metadata:1.0" regexp="false">second.example.org</shibmd:Scope>
    </md:Extensions>
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
      <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{sso}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"""

RESPONSE = """<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
    xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="r1" Version="2.0" IssueInstant="{now}"
    Destination="{destination}" InResponseTo="{answered}">
  <saml:Issuer>{issuer}</saml:Issuer>
  <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}"/></samlp:Status>
  {assertion}
</samlp:Response>"""

ASSERTION = """<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0"
    IssueInstant="{now}">
  <saml:Issuer>{issuer}</saml:Issuer>
  <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"></ds:Signature>
  <saml:Subject>
    <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name_id}</saml:NameID>
    <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
      <saml:SubjectConfirmationData InResponseTo="{request_id}" NotOnOrAfter="{until}" Recipient="{recipient}"/>
    </saml:SubjectConfirmation>
  </saml:Subject>
  <saml:Conditions NotBefore="{not_before}" NotOnOrAfter="{until}">
    <saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>
  </saml:Conditions>
  <saml:AuthnStatement AuthnInstant="{authenticated}" SessionIndex="s1">
    <saml:AuthnContext><saml:AuthnContextClassRef>{context}</saml:AuthnContextClassRef></saml:AuthnContext>
  </saml:AuthnStatement>
  <saml:AttributeStatement>{attributes}</saml:AttributeStatement>
</saml:Assertion>"""

ATTRIBUTE = (
    '<saml:Attribute Name="{name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri">'
    "<saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
)
SUBJECT_ID = "urn:oasis:names:tc:SAML:attribute:subject-id"


class _Signer(XMLSigner):
    def check_deprecated_methods(self) -> None:
        """SHA-1 is what some still sign with."""


class SecondSamlIdp:
    """Makes metadata and responses."""

    def __init__(self) -> None:
        key, end, self.certificate = make_key_pair().partition(END_OF_KEY)
        self.key = key + end

    @property
    def metadata(self) -> str:
        certificate = "".join(self.certificate.strip().splitlines()[1:-1])
        return METADATA.format(entity_id=ENTITY_ID, certificate=certificate, sso=SSO)

    def signed_metadata(self) -> str:
        root = etree.fromstring(self.metadata)
        placeholder = etree.SubElement(root, "{http://www.w3.org/2000/09/xmldsig#}Signature", Id="placeholder")
        root.insert(0, placeholder)
        return self._sign(root, "m1")

    def assertion(self, *, sp: str, consumer: str, request_id: str, **changed: Any) -> str:
        """A signed assertion. `clock`: by how much its own clock is ahead; `algorithm`, `digest`: of the signature."""
        now = datetime.now(UTC) + changed.pop("clock", timedelta())
        options = {name: changed.pop(name) for name in ("algorithm", "digest") if name in changed}
        attributes = changed.pop("attributes", {SUBJECT_ID: "grace@second.example.org"})
        values = {
            "id": "a1",
            "issuer": ENTITY_ID,
            "name_id": "grace-persistent",
            "request_id": request_id,
            "recipient": consumer,
            "audience": sp,
            "context": "https://refeds.org/profile/mfa",
            "now": _text(now),
            "authenticated": _text(now),
            "not_before": _text(now - timedelta(seconds=5)),
            "until": _text(now + timedelta(minutes=5)),
            "attributes": "".join(ATTRIBUTE.format(name=name, value=value) for name, value in attributes.items()),
        } | changed
        return self._sign(etree.fromstring(ASSERTION.format(**values)), values["id"], **options)

    def response(self, assertion: str, *, consumer: str, request_id: str, **changed: Any) -> str:
        """The response around an assertion, as it is posted."""
        values = {
            "now": _text(datetime.now(UTC)),
            "destination": consumer,
            "answered": request_id,
            "issuer": ENTITY_ID,
            "status": "Success",
            "assertion": assertion,
        } | changed
        return base64.b64encode(RESPONSE.format(**values).encode()).decode()

    def _sign(self, root: Any, name: str, algorithm: str = "RSA_SHA256", digest: str = "SHA256") -> str:
        signer = _Signer(
            signature_algorithm=SignatureMethod[algorithm],
            digest_algorithm=DigestAlgorithm[digest],
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        signed = signer.sign(root, key=self.key, cert=self.certificate, reference_uri=f"#{name}", id_attribute="ID")
        return str(etree.tostring(signed, encoding="unicode"))


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
