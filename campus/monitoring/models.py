"""The workers that are running, by what they say of themselves."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campus.common.messages import MessageField


class Worker(models.Model):
    """A running worker: a row from its start until it stops, or has not been heard of for a while.

    `id` begins the lease owners of its attempts. `problem` says why it does not take jobs from `paused_queues`.
    """

    id = models.CharField(max_length=16, primary_key=True)
    name = models.CharField(_("name"), max_length=255)
    processes = models.PositiveSmallIntegerField(_("processes"), default=1)
    queues = models.JSONField(_("queues"), default=list)
    paused_queues = models.JSONField(_("queues that it takes nothing from"), default=list)
    problem = MessageField(_("what is wrong with its machine"))
    started_at = models.DateTimeField(_("started at"), auto_now_add=True)
    seen_at = models.DateTimeField(_("last seen at"))

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
