"""Rollcall's vision library: who was in a lecture, from its recording. Knows no Django, no Celery and no database."""
