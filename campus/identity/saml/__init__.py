"""Sign-in by SAML 2.0, as a service provider of one identity provider or of a federation.

pysaml2 is imported where it is used: web processes that nobody signs in at by SAML do without its 45 MB.
"""
