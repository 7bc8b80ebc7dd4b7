import campus.common.encrypted_fields
import campus.common.messages
import campus.outbox.models
import django.core.validators
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('academics', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('url', models.CharField(help_text='Begins with https. Addresses inside your network have to be allowed by the administrator of the server.', max_length=500, validators=[django.core.validators.URLValidator(schemes=['https', 'http'])], verbose_name='address')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('secret', campus.common.encrypted_fields.EncryptedTextField(default=campus.outbox.models.new_secret, editable=False, verbose_name='secret')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('course', models.ForeignKey(blank=True, help_text='Empty: all classes.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='webhooks', to='academics.course', verbose_name='class')),
            ],
            options={
                'verbose_name': 'webhook',
                'verbose_name_plural': 'webhooks',
                'ordering': ['url'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('to', models.EmailField(blank=True, max_length=254, verbose_name='to')),
                ('event', models.CharField(max_length=40, verbose_name='event')),
                ('subject', models.CharField(blank=True, max_length=200, verbose_name='subject')),
                ('body', models.TextField(verbose_name='text')),
                ('topic', models.TextField(db_index=True, editable=False, help_text='What it is about, the same for all its receivers.')),
                ('key', models.CharField(editable=False, help_text='SHA-256 of topic and receiver.', max_length=64, unique=True)),
                ('state', models.CharField(choices=[('queued', 'to be sent'), ('waiting', 'will be tried again'), ('sent', 'sent'), ('failed', 'given up')], default='queued', max_length=10, verbose_name='state')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('due_at', models.DateTimeField(blank=True, null=True, verbose_name='next try')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent')),
                ('webhook', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='outbox.webhook', verbose_name='webhook')),
            ],
            options={
                'verbose_name': 'message',
                'verbose_name_plural': 'messages',
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['state', 'due_at'], name='messages_that_are_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('webhook', None), ('to', ''), _connector='XOR'), name='a_message_has_one_address')],
            },
        ),
    ]
