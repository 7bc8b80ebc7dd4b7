import campus.academics.models
import campus.cctv.models
import campus.common.encrypted_fields
import campus.common.messages
import campus.common.storage
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
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('name', models.CharField(max_length=100, unique=True, verbose_name='name')),
                ('kind', models.CharField(choices=[('folder', 'Folder on this server (also a mounted one)'), ('sftp', 'SFTP'), ('ftps', 'FTPS'), ('smb', 'SMB (Windows share)'), ('webdav', 'WebDAV'), ('http', 'HTTP(S) with a list of files'), ('s3', 'S3 and compatible'), ('rtsp', 'RTSP (a camera, recorded during the lecture)')], max_length=10, verbose_name='kind')),
                ('address', models.CharField(help_text='Such as sftp://nvr.example.org/recordings, or a folder such as /srv/cctv. Without user name and password.', max_length=500, verbose_name='address')),
                ('username', models.CharField(blank=True, help_text='For S3, the access key.', max_length=200, verbose_name='user name')),
                ('secret', campus.common.encrypted_fields.EncryptedTextField(blank=True, default='', editable=False, verbose_name='password')),
                ('host_key', models.CharField(blank=True, help_text="For SFTP: the server's key as in known_hosts, such as “ssh-ed25519 AAAA…”. The first test fills it in.", max_length=800, verbose_name='host key')),
                ('pattern', models.CharField(blank=True, help_text='Such as {camera}/{date:%Y%m%d}/{start:%H%M%S}.mp4. Also {room}, {end:%H%M%S}, and * for anything else.', max_length=300, verbose_name='path pattern')),
                ('time_zone', models.CharField(blank=True, help_text="Of the times in file names. Empty: the institution's.", max_length=60, validators=[campus.academics.models.known_time_zone], verbose_name='time zone')),
                ('clock_offset', models.FloatField(default=0, help_text="Seconds by which the camera's clock is fast; negative if it is slow.", verbose_name='clock is ahead by')),
                ('delay_minutes', models.PositiveSmallIntegerField(default=5, help_text='Minutes after the end of a lecture.', verbose_name='first check after')),
                ('deadline_hours', models.PositiveSmallIntegerField(default=24, help_text='Hours after the end of a lecture. People are then notified of what is missing.', verbose_name='give up after')),
                ('scan_interval_minutes', models.PositiveSmallIntegerField(default=15, help_text='Minutes. Scans also run when no lecture waits for footage, to discover files without a lecture.', verbose_name='scan every')),
                ('max_kib_per_second', models.PositiveIntegerField(default=0, help_text='0: no limit.', verbose_name='maximum KiB per second')),
                ('max_file_gib', models.PositiveSmallIntegerField(default=16, verbose_name='maximum GiB per file')),
                ('max_gib_per_day', models.PositiveSmallIntegerField(default=200, verbose_name='maximum GiB per day')),
                ('enabled', models.BooleanField(default=True, verbose_name='in use')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('state', models.CharField(choices=[('idle', 'idle'), ('scanning', 'being scanned')], default='idle', editable=False, max_length=10, verbose_name='state')),
                ('failed_scans', models.PositiveSmallIntegerField(default=0, editable=False, verbose_name='scans since the last successful one')),
                ('next_scan_at', models.DateTimeField(editable=False, null=True, verbose_name='next scan')),
                ('measured_clock_offset', models.FloatField(editable=False, help_text='Seconds.', null=True, verbose_name='clock measured to be ahead by')),
                ('clock_measured_by', models.CharField(blank=True, choices=[('files', 'file names compared with modification times'), ('stream', "the camera's stream")], editable=False, max_length=10, verbose_name='measured by')),
                ('clock_measured_at', models.DateTimeField(editable=False, null=True, verbose_name='measured at')),
                ('last_checked_at', models.DateTimeField(editable=False, null=True, verbose_name='last checked')),
                ('last_new_file_at', models.DateTimeField(editable=False, null=True, verbose_name='last new file')),
            ],
            options={
                'verbose_name': 'footage source',
                'verbose_name_plural': 'footage sources',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('unreachable', 'source cannot be scanned'), ('silent', 'source is silent'), ('queue', 'jobs wait too long'), ('dark', 'camera shows only black'), ('frozen', "camera's picture is frozen"), ('faceless', 'camera shows no faces')], max_length=12, verbose_name='kind')),
                ('key', models.CharField(max_length=80)),
                ('text', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what happened')),
                ('started_at', models.DateTimeField(auto_now_add=True, verbose_name='since')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
            ],
            options={
                'verbose_name': 'alarm',
                'verbose_name_plural': 'alarms',
                'ordering': ['-started_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('key',), name='one_open_alarm_a_key')],
            },
        ),
        migrations.CreateModel(
            name='Camera',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stream', models.PositiveSmallIntegerField(blank=True, help_text='Of a file with several, such as camera and slides: 1 is the first. Empty: the one with faces.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='video stream')),
                ('aspect_ratio', models.CharField(blank=True, choices=[(None, 'as the file says'), ('16:9', '16:9'), ('4:3', '4:3'), ('5:4', '5:4')], help_text='Width to height, before turning. Set it if people look too thin or too wide.', max_length=4, verbose_name='shape')),
                ('rotation', models.PositiveSmallIntegerField(choices=[(0, 'as the file says'), (90, 'to the right'), (180, 'upside down'), (270, 'to the left')], default=0, verbose_name='turned')),
                ('is_mirrored', models.BooleanField(default=False, help_text="Left and right are swapped, for example in a phone's front camera.", verbose_name='mirrored')),
                ('label', models.CharField(blank=True, max_length=100, verbose_name='name in paths')),
                ('room', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cameras', to='academics.room', verbose_name='room')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cameras', to='cctv.source', verbose_name='source')),
            ],
            options={
                'verbose_name': 'camera',
                'verbose_name_plural': 'cameras',
                'ordering': ['source__name', 'label'],
            },
        ),
        migrations.CreateModel(
            name='SourceTest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('state', models.CharField(choices=[('queued', 'being tested'), ('done', 'done'), ('failed', 'failed')], default='queued', max_length=10, verbose_name='state')),
                ('requested_at', models.DateTimeField(auto_now=True, verbose_name='requested at')),
                ('files', models.JSONField(default=list, help_text='The newest files: path, size and modification time of each.', verbose_name='files')),
                ('file_count', models.PositiveIntegerField(default=0, verbose_name='files at the source')),
                ('camera_report', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, help_text='For a source without files: one line per camera.', verbose_name='what the cameras send')),
                ('source', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='test', to='cctv.source', verbose_name='source')),
            ],
            options={
                'verbose_name': 'test of a source',
                'verbose_name_plural': 'tests of sources',
            },
        ),
        migrations.CreateModel(
            name='Collection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slot', models.CharField(blank=True, editable=False, max_length=200)),
                ('state', models.CharField(choices=[('waiting', 'waiting for the lecture'), ('collecting', 'collecting'), ('complete', 'complete'), ('missing', 'missing'), ('off', 'not collected')], default='waiting', max_length=10, verbose_name='state')),
                ('check_count', models.PositiveSmallIntegerField(default=0, verbose_name='checks')),
                ('next_check_at', models.DateTimeField(verbose_name='next check')),
                ('deadline_at', models.DateTimeField(verbose_name='deadline')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                ('note', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what is missing')),
                ('lecture', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='collection', to='academics.lecture', verbose_name='lecture')),
            ],
            options={
                'verbose_name': 'collection of footage',
                'verbose_name_plural': 'collections of footage',
                'ordering': ['-lecture__starts_at'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'collecting'])), fields=['next_check_at'], name='collection_check_due')],
            },
        ),
        migrations.CreateModel(
            name='FootageFile',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('path', models.CharField(max_length=1000, verbose_name='path')),
                ('size', models.PositiveBigIntegerField(default=0, verbose_name='size in bytes')),
                ('modified_at', models.DateTimeField(null=True, verbose_name='last modified')),
                ('starts_at', models.DateTimeField(help_text="With the camera's clock corrected.", null=True, verbose_name='from')),
                ('ends_at', models.DateTimeField(help_text='By the file name; once fetched, by the duration.', null=True, verbose_name='to')),
                ('state', models.CharField(choices=[('discovered', 'discovered'), ('fetching', 'being fetched'), ('retry', 'waiting to be retried'), ('stored', 'stored'), ('duplicate', 'duplicate of another file'), ('failed', 'failed'), ('discarded', 'discarded')], default='discovered', max_length=10, verbose_name='state')),
                ('file', models.FileField(blank=True, max_length=200, storage=campus.common.storage.clear_storage, upload_to=campus.cctv.models.footage_file_path)),
                ('fetched_bytes', models.PositiveBigIntegerField(default=0, verbose_name='bytes fetched')),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('info', models.JSONField(default=dict, verbose_name='technical data')),
                ('retry_count', models.PositiveSmallIntegerField(default=0, verbose_name='retries')),
                ('retry_at', models.DateTimeField(blank=True, null=True, verbose_name='next retry')),
                ('fully_written', models.BooleanField(default=False, help_text='Unchanged for a while.', verbose_name='fully written')),
                ('note', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, help_text='Anything unusual: no lecture at that time, cut off, …', verbose_name='note')),
                ('needs_assignment', models.BooleanField(default=False, editable=False, help_text='Only a person can tell which lecture it shows.')),
                ('discovered_at', models.DateTimeField(auto_now_add=True, verbose_name='discovered')),
                ('fetched_at', models.DateTimeField(null=True, verbose_name='fetched')),
                ('camera', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='footage_files', to='cctv.camera', verbose_name='camera')),
                ('lecture', models.ForeignKey(blank=True, editable=False, help_text="Assigned by a person. Empty: the lectures that took place in the camera's room at the time.", null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='footage_files', to='academics.lecture', verbose_name='lecture')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='footage_files', to='cctv.source', verbose_name='source')),
            ],
            options={
                'verbose_name': 'footage file',
                'verbose_name_plural': 'footage files',
                'ordering': ['-starts_at', 'path'],
                'indexes': [models.Index(fields=['camera', 'starts_at'], name='footage_camera_time'), models.Index(fields=['state', 'retry_at'], name='footage_retry_due'), models.Index(condition=models.Q(('needs_assignment', True)), fields=['discovered_at'], name='footage_needs_assignment')],
                'constraints': [models.UniqueConstraint(fields=('source', 'path'), name='one_footage_file_a_source_and_path')],
            },
        ),
        migrations.AddConstraint(
            model_name='camera',
            constraint=models.UniqueConstraint(fields=('source', 'label'), name='one_camera_a_source_and_label', violation_error_message='This source already has a camera with this name.'),
        ),
    ]
