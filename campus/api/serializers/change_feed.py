"""Pages of the change feed."""

from typing import Any

from rest_framework import serializers

from campus.attendance.change_feed import MAX_PAGE_SIZE, Change, ChangePage
from campus.attendance.feed_models import FeedEntry


class ChangeFeedQuerySerializer(serializers.Serializer[Any]):
    cursor = serializers.CharField(required=False, max_length=60, help_text="the `cursor` of the answer before")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PAGE_SIZE)


class ChangeSerializer(serializers.Serializer[Change]):
    kind = serializers.ChoiceField(choices=FeedEntry.Kind.choices)
    id = serializers.CharField(help_text="a number, or a UUID of an excuse")
    data = serializers.DictField(  # type: ignore[assignment]
        allow_null=True, help_text="the row as it is now; null: it was deleted, or its student was erased"
    )


class ChangePageSerializer(serializers.Serializer[ChangePage]):
    changes = ChangeSerializer(many=True)
    cursor = serializers.CharField()
    has_more = serializers.BooleanField(help_text="whether the next page has something already")
