import campus.common.messages
import campus.common.storage
import campus.recordings.models
import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('academics', '0001_initial'),
        ('biometrics', '0001_initial'),
        ('cctv', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Recording',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('stream', models.PositiveSmallIntegerField(blank=True, help_text='Of a file with several, such as camera and slides: 1 is the first. Empty: the one with faces.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='video stream')),
                ('aspect_ratio', models.CharField(blank=True, choices=[(None, 'as the file says'), ('16:9', '16:9'), ('4:3', '4:3'), ('5:4', '5:4')], help_text='Width to height, before turning. Set it if people look too thin or too wide.', max_length=4, verbose_name='shape')),
                ('rotation', models.PositiveSmallIntegerField(choices=[(0, 'as the file says'), (90, 'to the right'), (180, 'upside down'), (270, 'to the left')], default=0, verbose_name='turned')),
                ('is_mirrored', models.BooleanField(default=False, help_text="Left and right are swapped, for example in a phone's front camera.", verbose_name='mirrored')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file', models.FileField(blank=True, max_length=200, storage=campus.common.storage.clear_storage, upload_to=campus.recordings.models.recording_path)),
                ('provisional', models.BooleanField(default=False, editable=False, help_text='More footage files may arrive.', verbose_name='provisional')),
                ('original_name', models.CharField(max_length=255, verbose_name='file name')),
                ('size', models.PositiveBigIntegerField(editable=False, verbose_name='size in bytes')),
                ('sha256', models.CharField(blank=True, editable=False, max_length=64, verbose_name='SHA-256')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('offset', models.FloatField(default=0, help_text='Of the lecture. Negative: it begins before the lecture.', verbose_name='starts at second')),
                ('offset_source', models.CharField(choices=[('assumed', 'assumed: nothing says when it began'), ('camera', "by the camera's clock, which is written in the file"), ('file_name', "by the file's name"), ('person', 'set by a person')], default='assumed', editable=False, max_length=10)),
                ('state', models.CharField(choices=[('uploaded', 'waiting'), ('processing', 'looking for faces'), ('aggregating', 'counting'), ('needs_review', 'to be checked'), ('done', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='uploaded', editable=False, max_length=12, verbose_name='state')),
                ('held', models.BooleanField(default=False, editable=False, help_text='Does not count until a person has checked it.', verbose_name='held back')),
                ('review_reasons', models.JSONField(default=list, editable=False, help_text='Of each reason: its code, and the message.', verbose_name='why it is to be checked')),
                ('fitting_courses', models.JSONField(default=list, editable=False, help_text='Of strangers: the ids of classes that they fit, and how many students of each are seen.')),
                ('accepted_reasons', models.JSONField(default=list, editable=False, help_text='The codes of the reasons that a person has checked and accepted.')),
                ('dismissed', models.BooleanField(default=False, editable=False, help_text='Failed, cancelled or with gaps, and nobody has to act on it.', verbose_name='dismissed')),
                ('run', models.PositiveIntegerField(default=1, editable=False, help_text='Increases each time attendance is taken again.', verbose_name='run')),
                ('info', models.JSONField(default=dict, editable=False, verbose_name='what the file is')),
                ('duration', models.FloatField(default=0, editable=False, verbose_name='duration in seconds')),
                ('embedder', models.CharField(blank=True, editable=False, help_text='The same for all segments.', max_length=60, verbose_name='face model')),
                ('strictness', models.CharField(blank=True, choices=[('strict', 'Strict'), ('balanced', 'Balanced'), ('lenient', 'Lenient')], editable=False, max_length=10)),
                ('coverage', models.FloatField(default=0, editable=False, verbose_name='share that could be processed')),
                ('planned_at', models.DateTimeField(editable=False, null=True)),
                ('finished_at', models.DateTimeField(editable=False, null=True, verbose_name='finished at')),
                ('camera', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recordings', to='cctv.camera', verbose_name='camera')),
                ('gallery', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to='biometrics.gallery', verbose_name='gallery')),
                ('lecture', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recordings', to='academics.lecture', verbose_name='lecture')),
                ('replaces', models.ForeignKey(blank=True, editable=False, help_text='The recording that is removed once this one counts.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='replacements', to='recordings.recording', verbose_name='replaces')),
                ('uploaded_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL, verbose_name='uploaded by')),
            ],
            options={
                'verbose_name': 'recording',
                'verbose_name_plural': 'recordings',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='Clip',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.FloatField(verbose_name='from, in seconds')),
                ('end', models.FloatField(verbose_name='to, in seconds')),
                ('recording_start', models.FloatField(verbose_name='at second of the recording')),
                ('sha256', models.CharField(blank=True, editable=False, help_text='Of the footage file at that time.', max_length=64)),
                ('footage_file', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='clips', to='cctv.footagefile', verbose_name='footage file')),
                ('recording', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='clips', to='recordings.recording', verbose_name='recording')),
            ],
            options={
                'verbose_name': 'clip',
                'verbose_name_plural': 'clips',
                'ordering': ['recording', 'recording_start'],
            },
        ),
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('index', models.PositiveIntegerField()),
                ('start', models.FloatField(verbose_name='from, in seconds')),
                ('end', models.FloatField(verbose_name='to, in seconds')),
                ('state', models.CharField(choices=[('pending', 'waiting or in progress'), ('done', 'done'), ('failed', 'failed')], default='pending', max_length=10, verbose_name='state')),
                ('progress', models.FloatField(default=0, help_text='0 to 1, of the current attempt', verbose_name='progress')),
                ('result', models.CharField(blank=True, max_length=200, verbose_name='file with the tracks')),
                ('faces', models.PositiveIntegerField(default=0, verbose_name='faces')),
                ('tracks', models.PositiveIntegerField(default=0, verbose_name='tracks')),
                ('light', models.FloatField(editable=False, help_text='Of the brightest frame, 0 to 1.', null=True, verbose_name='brightness')),
                ('motion', models.FloatField(editable=False, help_text='The greatest change between two frames, 0 to 1.', null=True, verbose_name='motion')),
                ('recognised_students', models.JSONField(default=list, editable=False, help_text='Their ids, by this segment alone. The vote over all segments decides.', verbose_name='recognised students')),
                ('finished_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='finished at')),
                ('clip', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='segments', to='recordings.clip', verbose_name='clip')),
                ('recording', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='segments', to='recordings.recording', verbose_name='recording')),
            ],
            options={
                'verbose_name': 'segment',
                'verbose_name_plural': 'segments',
                'ordering': ['recording', 'index'],
            },
        ),
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('original_name', models.CharField(max_length=255)),
                ('size', models.PositiveBigIntegerField(verbose_name='size in bytes')),
                ('offset', models.PositiveBigIntegerField(default=0, verbose_name='bytes received')),
                ('sha256', models.CharField(blank=True, help_text='As announced by the sender, if it was.', max_length=64)),
                ('recording_offset', models.FloatField(help_text='The second of the lecture at which the recording begins, if the sender said it.', null=True)),
                ('writer', models.CharField(blank=True, editable=False, max_length=32)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField()),
                ('lecture', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to='academics.lecture')),
                ('recording', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='upload', to='recordings.recording')),
                ('replaces', models.ForeignKey(blank=True, help_text='The recording that is removed once this one counts.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='recordings.recording')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddConstraint(
            model_name='recording',
            constraint=models.UniqueConstraint(condition=models.Q(('sha256', ''), _negated=True), fields=('lecture', 'sha256'), name='a_recording_once_a_lecture'),
        ),
        migrations.AddConstraint(
            model_name='recording',
            constraint=models.UniqueConstraint(fields=('lecture', 'camera'), name='one_recording_a_lecture_and_camera'),
        ),
        migrations.AddConstraint(
            model_name='recording',
            constraint=models.CheckConstraint(condition=models.Q(('coverage__gte', 0), ('coverage__lte', 1)), name='coverage_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='clip',
            constraint=models.UniqueConstraint(fields=('recording', 'footage_file'), name='one_clip_a_recording_and_footage_file'),
        ),
        migrations.AddConstraint(
            model_name='clip',
            constraint=models.CheckConstraint(condition=models.Q(('end__gt', models.F('start'))), name='clip_ends_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='segment',
            constraint=models.UniqueConstraint(fields=('recording', 'index'), name='one_segment_an_index'),
        ),
        migrations.AddConstraint(
            model_name='segment',
            constraint=models.CheckConstraint(condition=models.Q(('end__gte', models.F('start'))), name='segment_ends_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='upload',
            constraint=models.CheckConstraint(condition=models.Q(('offset__lte', models.F('size'))), name='no_more_bytes_than_announced'),
        ),
    ]
