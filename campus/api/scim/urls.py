"""Addresses below /scim/v2/."""

from django.urls import path

from campus.api.scim.views import Description, OneResource, Resources, Search, SearchEverything, Unknown

urlpatterns = [
    path("Users", Resources.as_view(), {"kind": "Users"}, name="scim-user-list"),
    path("Users/.search", Search.as_view(), {"kind": "Users", "key": ".search"}, name="scim-user-search"),
    path("Users/<str:key>", OneResource.as_view(), {"kind": "Users"}, name="scim-user"),
    path("Groups", Resources.as_view(), {"kind": "Groups"}, name="scim-group-list"),
    path("Groups/.search", Search.as_view(), {"kind": "Groups", "key": ".search"}, name="scim-group-search"),
    path("Groups/<str:key>", OneResource.as_view(), {"kind": "Groups"}, name="scim-group"),
    path("ServiceProviderConfig", Description.as_view(), {"kind": "ServiceProviderConfig"}, name="scim-config"),
    path("ResourceTypes", Description.as_view(), {"kind": "ResourceTypes"}, name="scim-types"),
    path("ResourceTypes/<str:key>", Description.as_view(), {"kind": "ResourceTypes"}, name="scim-type"),
    path("Schemas", Description.as_view(), {"kind": "Schemas"}, name="scim-schemas"),
    path("Schemas/<str:key>", Description.as_view(), {"kind": "Schemas"}, name="scim-schema"),
    path(".search", SearchEverything.as_view(), name="scim-search"),
    path("<path:rest>", Unknown.as_view(), name="scim-unknown"),
]
