"""Addresses below /scim/v2/."""

from django.urls import path

from campus.api.scim.views import Description, OneResource, Resources, Unknown

urlpatterns = [
    path("Users", Resources.as_view(), {"kind": "Users"}, name="scim-user-list"),
    path("Users/<str:key>", OneResource.as_view(), {"kind": "Users"}, name="scim-user"),
    path("Groups", Resources.as_view(), {"kind": "Groups"}, name="scim-group-list"),
    path("Groups/<str:key>", OneResource.as_view(), {"kind": "Groups"}, name="scim-group"),
    path("ServiceProviderConfig", Description.as_view(), {"kind": "ServiceProviderConfig"}, name="scim-config"),
    path("ResourceTypes", Description.as_view(), {"kind": "ResourceTypes"}, name="scim-types"),
    path("ResourceTypes/<str:key>", Description.as_view(), {"kind": "ResourceTypes"}, name="scim-type"),
    path("Schemas", Description.as_view(), {"kind": "Schemas"}, name="scim-schemas"),
    path("Schemas/<str:key>", Description.as_view(), {"kind": "Schemas"}, name="scim-schema"),
    path("<path:rest>", Unknown.as_view(), name="scim-unknown"),
]
