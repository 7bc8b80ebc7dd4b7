import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import campus.biometrics.models


class Migration(migrations.Migration):

    dependencies = [
        ('academics', '0005_names_of_fields'),
        ('biometrics', '0004_names_of_fields'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PhotoImport',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', models.TextField(blank=True, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file', models.FileField(upload_to=campus.biometrics.models.zip_path)),
                ('original_name', models.CharField(max_length=255)),
                ('language', models.CharField(help_text='Of the reasons.', max_length=10)),
                ('state', models.CharField(choices=[('queued', 'in work'), ('done', 'done'), ('failed', 'failed')], default='queued', max_length=10, verbose_name='state')),
                ('total', models.PositiveIntegerField(help_text='Files in the zip.')),
                ('taken', models.PositiveIntegerField(default=0)),
                ('skipped', models.JSONField(default=list, help_text='Of each file that was not taken: its path, whose it is, and why.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('course', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='photo_imports', to='academics.course')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photo_imports', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
    ]
