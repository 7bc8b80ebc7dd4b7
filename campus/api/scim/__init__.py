"""SCIM 2.0 (RFC 7643, RFC 7644): the directory of the university makes, changes and closes accounts of staff.

scim2-models, with pydantic, is imported by `protocol` alone, which the first request imports: web processes without a
directory do without its 30 MB.
"""
