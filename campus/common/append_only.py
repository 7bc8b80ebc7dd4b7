"""Rows that are written once: no program of ours changes or deletes them by mistake."""

from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Refuses updates and deletions. What rows depend on by a foreign key still takes them with it."""

    def update(self, **_: object) -> int:
        raise TypeError("This log is append-only.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("This log is append-only.")


class AppendOnlyModel(models.Model):
    """A row that can be saved once."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("This log is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("This log is append-only.")
