import campus.academics.import_models
import campus.academics.models
import campus.common.keys
import campus.common.messages
import campus.common.storage
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Room',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('key', campus.common.keys.MatchKeyField('name', editable=False, unique=True, verbose_name='name')),
                ('building', models.CharField(blank=True, max_length=100, verbose_name='building')),
                ('search_key', campus.common.keys.SortKeyField('search_text', editable=False)),
                ('seats', models.PositiveIntegerField(blank=True, null=True, verbose_name='seats')),
            ],
            options={
                'verbose_name': 'room',
                'verbose_name_plural': 'rooms',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Student',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=40, verbose_name='student number')),
                ('number_key', campus.common.keys.NumberKeyField('number', editable=False, unique=True, verbose_name='student number')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('name_key', campus.common.keys.MatchKeyField('name', db_index=True, editable=False, verbose_name='name')),
                ('surname', models.CharField(blank=True, help_text='Lists are sorted by it, or by the last word of the name where it is empty or not part of the name.', max_length=200, verbose_name='surname')),
                ('sort_key', campus.common.keys.SortKeyField('name_by_surname', db_index=True, editable=False, verbose_name='name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail')),
                ('guardian_phone', models.CharField(blank=True, max_length=40, verbose_name="guardian's phone")),
                ('guest', models.BooleanField(default=False, help_text='Somebody who sits in the class and may become a student later.', verbose_name='guest')),
                ('is_sample', models.BooleanField(default=False, editable=False, verbose_name='sample')),
            ],
            options={
                'verbose_name': 'student',
                'verbose_name_plural': 'students',
                'ordering': ['sort_key', 'number_key'],
            },
        ),
        migrations.CreateModel(
            name='Course',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40, verbose_name='code')),
                ('code_key', campus.common.keys.MatchKeyField('code', editable=False, unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('name_key', campus.common.keys.MatchKeyField('name', editable=False, verbose_name='name')),
                ('search_key', campus.common.keys.SortKeyField('search_text', editable=False)),
                ('archived', models.BooleanField(default=False, help_text="An archived class leaves everybody's lists and first page. Nothing is deleted: its pages and registers stay where they were.", verbose_name='archived')),
                ('coordinator_name', models.CharField(blank=True, max_length=200, verbose_name='coordinator')),
                ('coordinator_email', models.EmailField(blank=True, max_length=254, verbose_name="coordinator's e-mail")),
                ('present_seconds', models.PositiveIntegerField(default=2, help_text='How long a student must be seen. Where recordings show less than an hour, in proportion.', verbose_name='present from (seconds)')),
                ('present_percent', models.PositiveSmallIntegerField(blank=True, help_text='The share of what recordings show that a student must be seen for. Empty: the seconds count.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)], verbose_name='present from (share of the lecture in per cent)')),
                ('late_minutes', models.PositiveIntegerField(default=10, help_text='Minutes into the lecture. Of a lecture under an hour, in proportion.', verbose_name='late after (minutes)')),
                ('early_minutes', models.PositiveIntegerField(default=10, help_text='Minutes of the lecture. Of a lecture under an hour, in proportion.', verbose_name='left early before the last (minutes)')),
                ('strictness', models.CharField(choices=[('strict', 'Strict'), ('balanced', 'Balanced'), ('lenient', 'Lenient')], default='balanced', help_text="How like a student's photos a face must be. Strict lets fewer strangers pass and misses more students, lenient the other way round. It counts from the next recording on.", max_length=10, verbose_name='strictness')),
                ('embedder', models.CharField(blank=True, choices=[('', 'as the server is set'), ('dlib-resnet-v1', 'dlib ResNet (comes with Rollcall)'), ('dlib-facenet-v1', 'dlib ResNet and FaceNet together (come with Rollcall)'), ('facenet-20180402', 'FaceNet 2018-04-02, trained on VGGFace2 (its weights have to be added)'), ('facenet-20180408', 'FaceNet 2018-04-08, trained on CASIA-WebFace (comes with Rollcall)')], help_text='What compares the faces of this class. After a change the photos are compared anew, and the present gallery stays in use until the new one is ready.', max_length=60, verbose_name='face model')),
                ('gallery_outdated_at', models.DateTimeField(editable=False, help_text='Since then a training is due; empty when none is.', null=True)),
                ('roster_changed_at', models.DateTimeField(editable=False, help_text='Since then lectures are due a recount; empty when none is.', null=True)),
                ('is_sample', models.BooleanField(default=False, editable=False, verbose_name='sample')),
                ('lecturers', models.ManyToManyField(blank=True, help_text='Who may upload for this class and see its attendance.', related_name='courses', to=settings.AUTH_USER_MODEL, verbose_name='lecturers')),
            ],
            options={
                'verbose_name': 'class',
                'verbose_name_plural': 'classes',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='FileImport',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('roster', 'roster'), ('calendar', 'calendar')], max_length=10, verbose_name='kind')),
                ('file', models.FileField(storage=campus.common.storage.clear_storage, upload_to=campus.academics.import_models.import_path)),
                ('original_name', models.CharField(max_length=255)),
                ('options', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('queued', 'being read'), ('ready', 'ready to import'), ('failed', 'failed')], default='queued', max_length=10, verbose_name='state')),
                ('content', models.BinaryField(null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('course', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='file_imports', to='academics.course')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='file_imports', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('first_day', models.DateField(verbose_name='from')),
                ('last_day', models.DateField(verbose_name='to')),
                ('public', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'verbose_name': 'holiday',
                'verbose_name_plural': 'holidays',
                'ordering': ['first_day', 'name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('last_day__gte', models.F('first_day'))), name='holiday_ends_after_it_starts', violation_error_message='The holiday ends before it starts.')],
            },
        ),
        migrations.CreateModel(
            name='LectureSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(blank=True, max_length=200, verbose_name='title')),
                ('weekdays', models.JSONField(default=list, help_text='0 is Monday, 6 is Sunday.', validators=[campus.academics.models.known_weekdays], verbose_name='days of the week')),
                ('every_weeks', models.PositiveSmallIntegerField(default=1, help_text='1: every week; 2: every other week, beginning with the week of the first day.', verbose_name='every so many weeks')),
                ('starts', models.TimeField(verbose_name='starts')),
                ('ends', models.TimeField(verbose_name='ends')),
                ('first_day', models.DateField(verbose_name='first day')),
                ('last_day', models.DateField(verbose_name='last day')),
                ('time_zone', models.CharField(blank=True, help_text="Like Europe/Berlin. Empty: the institution's.", max_length=60, validators=[campus.academics.models.known_time_zone], verbose_name='time zone')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='series', to='academics.course', verbose_name='class')),
                ('room', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='series', to='academics.room', verbose_name='room')),
            ],
            options={
                'verbose_name': 'series of lectures',
                'verbose_name_plural': 'timetable',
                'ordering': ['course__code', 'starts', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Lecture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(blank=True, max_length=200, verbose_name='title')),
                ('search_key', campus.common.keys.SortKeyField('title', editable=False)),
                ('starts_at', models.DateTimeField(verbose_name='starts')),
                ('ends_at', models.DateTimeField(verbose_name='ends')),
                ('cancelled', models.BooleanField(default=False, help_text='Does not take place; calendars show it as cancelled.', verbose_name='cancelled')),
                ('series_day', models.DateField(blank=True, editable=False, null=True)),
                ('detached', models.BooleanField(default=False, editable=False, verbose_name='changed by hand')),
                ('uid', models.CharField(blank=True, editable=False, max_length=300)),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lectures', to='academics.course', verbose_name='class')),
                ('series', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='lectures', to='academics.lectureseries', verbose_name='series')),
                ('room', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='lectures', to='academics.room', verbose_name='room')),
            ],
            options={
                'verbose_name': 'lecture',
                'verbose_name_plural': 'lectures',
                'ordering': ['-starts_at'],
            },
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('valid_from', models.DateField(default=django.utils.timezone.localdate, verbose_name='from')),
                ('valid_to', models.DateField(blank=True, null=True, verbose_name='to')),
                ('section', models.CharField(blank=True, help_text='A part of the class that meets on its own, like “Lab 2”.', max_length=40, verbose_name='section')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='academics.course', verbose_name='class')),
                ('student', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='academics.student', verbose_name='student')),
            ],
            options={
                'verbose_name': 'enrolment',
                'verbose_name_plural': 'enrolments',
                'ordering': ['student__sort_key'],
            },
        ),
        migrations.AddField(
            model_name='course',
            name='students',
            field=models.ManyToManyField(related_name='courses', through='academics.Enrolment', to='academics.student'),
        ),
        migrations.CreateModel(
            name='Term',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Like “Winter 2026/27”.', max_length=100, unique=True, verbose_name='name')),
                ('first_day', models.DateField(verbose_name='first day')),
                ('last_day', models.DateField(verbose_name='last day')),
                ('archived', models.BooleanField(default=False, help_text="The classes of an archived term leave everybody's lists and first page. Nothing is deleted, and this can be undone.", verbose_name='archived')),
                ('country', models.CharField(blank=True, editable=False, max_length=2, verbose_name='country')),
                ('region', models.CharField(blank=True, editable=False, max_length=40, verbose_name='region')),
            ],
            options={
                'verbose_name': 'term',
                'verbose_name_plural': 'terms',
                'ordering': ['-first_day', 'name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('last_day__gte', models.F('first_day'))), name='term_ends_after_it_starts', violation_error_message='The last day is before the first.')],
            },
        ),
        migrations.AddField(
            model_name='course',
            name='term',
            field=models.ForeignKey(blank=True, help_text="Its first and last day are offered for the class's timetable.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='courses', to='academics.term', verbose_name='term'),
        ),
        migrations.CreateModel(
            name='CalendarLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('used_at', models.DateTimeField(editable=False, null=True, verbose_name='last read')),
                ('user', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='calendar_links', to=settings.AUTH_USER_MODEL)),
                ('course', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, to='academics.course', verbose_name='class')),
            ],
            options={
                'ordering': ['created_at'],
                'constraints': [models.UniqueConstraint(fields=('user', 'course'), name='one_calendar_link_a_user_and_class'), models.UniqueConstraint(condition=models.Q(('course', None)), fields=('user',), name='one_calendar_link_a_user_for_all')],
            },
        ),
        migrations.AddConstraint(
            model_name='lectureseries',
            constraint=models.CheckConstraint(condition=models.Q(('ends__gt', models.F('starts'))), name='series_ends_after_it_starts', violation_error_message='The lecture ends before it starts.'),
        ),
        migrations.AddConstraint(
            model_name='lectureseries',
            constraint=models.CheckConstraint(condition=models.Q(('last_day__gte', models.F('first_day'))), name='series_has_days', violation_error_message='The last day is before the first.'),
        ),
        migrations.AddConstraint(
            model_name='lectureseries',
            constraint=models.CheckConstraint(condition=models.Q(('every_weeks__gte', 1), ('every_weeks__lte', 8)), name='series_returns_within_eight_weeks', violation_error_message='Lectures may come back every 1 to 8 weeks.'),
        ),
        migrations.AddIndex(
            model_name='lecture',
            index=models.Index(fields=['starts_at'], name='lectures_by_time'),
        ),
        migrations.AddConstraint(
            model_name='lecture',
            constraint=models.UniqueConstraint(fields=('course', 'starts_at'), name='one_lecture_a_class_and_time'),
        ),
        migrations.AddConstraint(
            model_name='lecture',
            constraint=models.UniqueConstraint(fields=('series', 'series_day'), name='one_lecture_a_series_and_day'),
        ),
        migrations.AddConstraint(
            model_name='lecture',
            constraint=models.UniqueConstraint(condition=models.Q(('uid', ''), _negated=True), fields=('course', 'uid'), name='one_lecture_a_class_and_uid'),
        ),
        migrations.AddConstraint(
            model_name='lecture',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='lecture_ends_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='enrolment',
            constraint=models.UniqueConstraint(fields=('course', 'student'), name='one_enrolment_a_student_and_class'),
        ),
        migrations.AddConstraint(
            model_name='enrolment',
            constraint=models.CheckConstraint(condition=models.Q(('valid_to', None), ('valid_to__gte', models.F('valid_from')), _connector='OR'), name='enrolment_ends_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='course',
            constraint=models.CheckConstraint(condition=models.Q(('present_percent', None), models.Q(('present_percent__gte', 1), ('present_percent__lte', 100)), _connector='OR'), name='present_percent_is_a_percentage'),
        ),
    ]
