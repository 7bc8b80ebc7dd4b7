import campus.attendance.excuse_models
import campus.attendance.policy
import campus.attendance.statuses
import campus.common.messages
import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('academics', '0001_initial'),
        ('cctv', '0001_initial'),
        ('recordings', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AttendanceRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('machine_status', models.CharField(blank=True, choices=[('present', 'Present'), ('late', 'Late'), ('left_early', 'Left early'), ('to_confirm', 'To be confirmed'), ('not_recognisable', 'Not recognisable'), ('excused', 'Excused'), ('absent', 'Absent')], max_length=16, verbose_name='proposed by the machine')),
                ('override_status', models.CharField(blank=True, choices=campus.attendance.statuses.override_choices, max_length=16, verbose_name='set by a person')),
                ('first_seen', models.DateTimeField(blank=True, null=True, verbose_name='first seen')),
                ('last_seen', models.DateTimeField(blank=True, null=True, verbose_name='last seen')),
                ('seconds', models.FloatField(default=0, verbose_name='seconds seen')),
                ('share', models.FloatField(default=0, verbose_name='share of the lecture')),
                ('confidence', models.FloatField(default=0, verbose_name='confidence')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='changed at')),
                ('lecture', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='records', to='academics.lecture', verbose_name='lecture')),
                ('student', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='records', to='academics.student', verbose_name='student')),
            ],
            options={
                'verbose_name': 'attendance record',
                'verbose_name_plural': 'attendance records',
                'ordering': ['lecture', 'student__sort_key'],
            },
        ),
        migrations.CreateModel(
            name='AttendanceChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('status', 'status set'), ('named', 'face named'), ('rejected', 'match rejected'), ('visitor', 'marked as a visitor'), ('deleted', 'unknown person deleted'), ('cleared', 'name removed from a face'), ('signed', 'signed off'), ('reopened', 'reopened'), ('undone', 'taken back'), ('accepted', 'recording accepted'), ('placed', "recording's start set"), ('moved', 'recording moved'), ('replaced', 'recording replaced'), ('removed', 'recording removed'), ('watched', 'recording watched'), ('merged', 'merged with another student')], default='status', max_length=10, verbose_name='kind')),
                ('batch', models.UUIDField(db_index=True, default=uuid.uuid4)),
                ('old_override', models.CharField(blank=True, max_length=16)),
                ('old_status', models.CharField(blank=True, choices=campus.attendance.statuses.status_choices, max_length=16, verbose_name='before')),
                ('new_status', models.CharField(blank=True, choices=campus.attendance.statuses.status_choices, max_length=16, verbose_name='after')),
                ('about', models.CharField(blank=True, max_length=300, verbose_name='about')),
                ('reason', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('user_name', models.CharField(help_text='As it was then, in case the account is deleted.', max_length=150, verbose_name='by')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('lecture', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='academics.lecture', verbose_name='lecture')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('record', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='attendance.attendancerecord')),
            ],
            options={
                'verbose_name': 'correction',
                'verbose_name_plural': 'corrections',
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='AttendanceStatus',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(help_text='Stored with each record. It cannot be changed later, so choose a plain word.', max_length=16, unique=True, verbose_name='code')),
                ('name', models.CharField(blank=True, max_length=40, verbose_name='name')),
                ('letter', models.CharField(help_text='In the register: one to three characters.', max_length=3, unique=True, verbose_name='letter')),
                ('points', models.DecimalField(decimal_places=2, max_digits=5, validators=[django.core.validators.MinValueValidator(0)], verbose_name='points')),
                ('is_counted', models.BooleanField(default=True, help_text="Whether a lecture with this status counts in the student's percentage.", verbose_name='counts')),
                ('meaning', models.CharField(choices=[('present', 'Present'), ('late', 'Late'), ('left_early', 'Left early'), ('excused', 'Excused'), ('absent', 'Absent')], help_text='The built-in status that this one counts as in filters, colours and sums.', max_length=10, verbose_name='counts as')),
                ('moodle_acronym', models.CharField(blank=True, help_text="The status's acronym in Moodle. Leave it empty to keep the status out of files for Moodle.", max_length=2, verbose_name='in Moodle')),
                ('position', models.PositiveSmallIntegerField(default=100, verbose_name='position')),
            ],
            options={
                'verbose_name': 'status',
                'verbose_name_plural': 'statuses',
                'ordering': ['position', 'code'],
                'constraints': [models.CheckConstraint(condition=models.Q(('points__gte', 0)), name='status_points_are_not_negative'), models.CheckConstraint(condition=models.Q(('code__in', ['to_confirm', 'not_recognisable']), _negated=True), name='status_code_is_not_the_machines')],
            },
        ),
        migrations.CreateModel(
            name='Excuse',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('first_day', models.DateField(verbose_name='from')),
                ('last_day', models.DateField(verbose_name='to')),
                ('reason', models.CharField(max_length=300, verbose_name='reason')),
                ('document', models.FileField(blank=True, upload_to=campus.attendance.excuse_models.excuse_document_path, verbose_name='document')),
                ('document_name', models.CharField(blank=True, max_length=255)),
                ('user_name', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('withdrawn_by', models.CharField(blank=True, editable=False, max_length=150)),
                ('withdrawn_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('course', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='excuses', to='academics.course', verbose_name='class')),
                ('student', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='excuses', to='academics.student', verbose_name='student')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'excuse',
                'verbose_name_plural': 'excuses',
                'ordering': ['-first_day', '-created_at'],
            },
        ),
        migrations.CreateModel(
            name='FaceOverride',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(choices=[('named', 'is this student'), ('rejected', 'is not this student'), ('visitor', 'visitor'), ('deleted', 'deleted')], max_length=10)),
                ('face_positions', models.JSONField(default=list)),
                ('user_name', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('recording', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='face_overrides', to='recordings.recording')),
                ('student', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='face_overrides', to='academics.student')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='RegisterPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('required_percent', models.PositiveSmallIntegerField(default=75, help_text='Share of the points that a student should reach. Students below it are marked in the register.', validators=[django.core.validators.MaxValueValidator(100)], verbose_name='required attendance (%)')),
                ('mail_lecturers', models.BooleanField(default=False, help_text='When the attendance of a lecture is ready, with what they should check.', verbose_name='e-mail to the lecturers')),
                ('mail_absentees', models.BooleanField(default=False, help_text='When a lecture is signed off, to students who were absent and have an address.', verbose_name='e-mail to absentees')),
                ('write_moodle_file', models.BooleanField(default=False, help_text="Next to each lecture's workbook in Reports/, for Moodle's “Import attendance marks”.", verbose_name='file for Moodle')),
                ('mail_weekly_register', models.BooleanField(default=False, help_text='To the registrars, after each week in which the class had lectures.', verbose_name='weekly register')),
                ('warning_addresses', models.CharField(blank=True, help_text='E-mail addresses. Once a week they are told which students fell below the required attendance.', max_length=500, validators=[campus.attendance.policy.validate_addresses], verbose_name='warn of falling attendance')),
                ('course', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='register_policy', to='academics.course', verbose_name='class')),
            ],
            options={
                'verbose_name': 'register and e-mail',
                'verbose_name_plural': 'register and e-mail',
            },
        ),
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file_name', models.CharField(max_length=200, unique=True, verbose_name='file in Reports/')),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('created_at', models.DateTimeField(auto_now=True, verbose_name='made at')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reports', to='academics.course', verbose_name='class')),
                ('lecture', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='reports', to='academics.lecture', verbose_name='lecture')),
                ('recording', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='report', to='recordings.recording', verbose_name='recording')),
            ],
            options={
                'verbose_name': 'report',
                'verbose_name_plural': 'reports',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='Sighting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('present', models.BooleanField()),
                ('to_confirm', models.BooleanField(default=False, verbose_name='to be confirmed')),
                ('recognisable', models.BooleanField(default=True, help_text="Whether the gallery knew the student's face.", verbose_name='recognisable')),
                ('intervals', models.JSONField(default=list)),
                ('seconds', models.FloatField(default=0)),
                ('share', models.FloatField(default=0)),
                ('confidence', models.FloatField(default=0)),
                ('crops', models.JSONField(default=list)),
                ('face_positions', models.JSONField(default=list)),
                ('recording', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sightings', to='recordings.recording')),
                ('runner_up', models.ForeignKey(blank=True, help_text='Of a face that is to be confirmed: the student whom it resembles next.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='academics.student', verbose_name='or else')),
                ('student', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sightings', to='academics.student')),
            ],
            options={
                'ordering': ['recording', 'student__sort_key'],
            },
        ),
        migrations.CreateModel(
            name='SignOff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_name', models.CharField(max_length=150)),
                ('signed_at', models.DateTimeField(auto_now_add=True)),
                ('lecture', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sign_off', to='academics.lecture')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('time', models.FloatField(verbose_name='second of the recording')),
                ('stream', models.PositiveSmallIntegerField(default=0, help_text='0: the frame as it counted.')),
                ('state', models.CharField(choices=[('queued', 'being extracted'), ('ready', 'ready'), ('failed', 'failed')], default='queued', max_length=10)),
                ('file', models.CharField(blank=True, max_length=200)),
                ('footage_file', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='cctv.footagefile')),
                ('recording', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='recordings.recording')),
                ('user', models.ForeignKey(help_text='Whose program asked for it; empty: a page or a worker did.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='snapshots', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['recording', 'time'],
            },
        ),
        migrations.CreateModel(
            name='UnknownComparison',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('state', models.CharField(choices=[('queued', 'being compared'), ('done', 'done'), ('failed', 'failed')], default='queued', max_length=10)),
                ('requested_at', models.DateTimeField()),
                ('course', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='unknown_comparison', to='academics.course')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='UnknownPerson',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('index', models.PositiveIntegerField()),
                ('is_static', models.BooleanField(default=False, verbose_name='no living person')),
                ('intervals', models.JSONField(default=list)),
                ('seconds', models.FloatField(default=0)),
                ('crops', models.JSONField(default=list)),
                ('face_positions', models.JSONField(default=list)),
                ('resembles', models.JSONField(null=True)),
                ('group', models.UUIDField(db_index=True, editable=False, null=True)),
                ('override', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='people', to='attendance.faceoverride')),
                ('recording', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='unknown_people', to='recordings.recording')),
                ('same_as', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='appearances', to='attendance.unknownperson')),
            ],
            options={
                'verbose_name_plural': 'unknown people',
                'ordering': ['recording', 'index'],
            },
        ),
        migrations.CreateModel(
            name='AnnotatedVideo',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('start', models.FloatField(verbose_name='from, in seconds')),
                ('end', models.FloatField(verbose_name='to, in seconds')),
                ('blur_others', models.BooleanField(default=False, verbose_name='blur the faces of others')),
                ('state', models.CharField(choices=[('queued', 'being drawn'), ('ready', 'ready'), ('failed', 'failed')], default='queued', max_length=10)),
                ('progress', models.FloatField(default=0, help_text='0 to 1, of the current attempt', verbose_name='progress')),
                ('file', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('recording', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='annotated_videos', to='recordings.recording')),
                ('student', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='academics.student')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='annotated_videos', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('end__gte', models.F('start'))), name='annotated_video_ends_after_it_starts')],
            },
        ),
        migrations.AddIndex(
            model_name='attendancerecord',
            index=models.Index(condition=models.Q(('machine_status', 'to_confirm'), ('override_status', '')), fields=['lecture'], name='records_to_confirm'),
        ),
        migrations.AddConstraint(
            model_name='attendancerecord',
            constraint=models.UniqueConstraint(fields=('lecture', 'student'), name='unique_record_of_student_in_lecture'),
        ),
        migrations.AddConstraint(
            model_name='attendancerecord',
            constraint=models.CheckConstraint(condition=models.Q(('machine_status', 'excused'), _negated=True), name='machine_status_is_not_excused'),
        ),
        migrations.AddConstraint(
            model_name='attendancerecord',
            constraint=models.CheckConstraint(condition=models.Q(('override_status__in', ['to_confirm', 'not_recognisable']), _negated=True), name='override_status_is_not_the_machines'),
        ),
        migrations.AddConstraint(
            model_name='excuse',
            constraint=models.CheckConstraint(condition=models.Q(('last_day__gte', models.F('first_day'))), name='excuse_ends_after_it_starts', violation_error_message='The excuse ends before it starts.'),
        ),
        migrations.AddConstraint(
            model_name='faceoverride',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('action__in', ['named', 'rejected']), ('student__isnull', False)), models.Q(('action__in', ['visitor', 'deleted']), ('student', None)), _connector='OR'), name='face_override_has_student_if_named'),
        ),
        migrations.AddConstraint(
            model_name='registerpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('required_percent__lte', 100)), name='required_percent_is_a_percentage'),
        ),
        migrations.AddConstraint(
            model_name='sighting',
            constraint=models.UniqueConstraint(fields=('recording', 'student'), name='unique_sighting_of_student_in_recording'),
        ),
        migrations.AddConstraint(
            model_name='sighting',
            constraint=models.CheckConstraint(condition=models.Q(('present', False), ('to_confirm', False), _connector='OR'), name='sighting_is_not_present_and_to_confirm'),
        ),
        migrations.AddConstraint(
            model_name='sighting',
            constraint=models.CheckConstraint(condition=models.Q(('share__gte', 0), ('share__lte', 1)), name='sighting_share_is_0_to_1'),
        ),
        migrations.AddConstraint(
            model_name='sighting',
            constraint=models.CheckConstraint(condition=models.Q(('confidence__gte', 0), ('confidence__lte', 1)), name='sighting_confidence_is_0_to_1'),
        ),
        migrations.AddConstraint(
            model_name='snapshot',
            constraint=models.UniqueConstraint(fields=('recording', 'time', 'stream'), name='unique_snapshot_at_time'),
        ),
        migrations.AddConstraint(
            model_name='snapshot',
            constraint=models.UniqueConstraint(fields=('footage_file', 'time', 'stream'), name='unique_snapshot_of_footage'),
        ),
        migrations.AddConstraint(
            model_name='snapshot',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('footage_file__isnull', False), ('recording', None)), models.Q(('footage_file', None), ('recording__isnull', False)), _connector='OR'), name='snapshot_of_recording_or_footage'),
        ),
        migrations.AddConstraint(
            model_name='unknownperson',
            constraint=models.UniqueConstraint(fields=('recording', 'index'), name='unique_unknown_person_index'),
        ),
    ]
