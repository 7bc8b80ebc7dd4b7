import campus.biometrics.models
import campus.common.encrypted_fields
import campus.common.messages
import campus.common.storage
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('academics', '0001_initial'),
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
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file', models.FileField(storage=campus.common.storage.clear_storage, upload_to=campus.biometrics.models.zip_path)),
                ('original_name', models.CharField(max_length=255)),
                ('state', models.CharField(choices=[('queued', 'in progress'), ('done', 'done'), ('failed', 'failed')], default='queued', max_length=10, verbose_name='state')),
                ('name_encoding', models.CharField(blank=True, choices=[('utf-8', 'Unicode (UTF-8)'), ('cp437', 'English (DOS)'), ('cp850', 'Western European (DOS)'), ('cp852', 'Central European (DOS)'), ('cp866', 'Cyrillic (DOS)'), ('cp857', 'Turkish (DOS)'), ('cp737', 'Greek (DOS)'), ('cp775', 'Baltic (DOS)'), ('cp862', 'Hebrew (DOS)'), ('cp720', 'Arabic (DOS)'), ('gb18030', 'Chinese, simplified (GBK)'), ('cp950', 'Chinese, traditional (Big5)'), ('cp932', 'Japanese (Shift-JIS)'), ('cp949', 'Korean (Windows)'), ('cp874', 'Thai (Windows)'), ('cp1252', 'Western European (Windows)'), ('cp1250', 'Central European (Windows)'), ('cp1251', 'Cyrillic (Windows)'), ('cp1253', 'Greek (Windows)'), ('cp1254', 'Turkish (Windows)'), ('cp1255', 'Hebrew (Windows)'), ('cp1256', 'Arabic (Windows)'), ('cp1257', 'Baltic (Windows)'), ('cp1258', 'Vietnamese (Windows)')], help_text='Empty where all names are in Unicode.', max_length=20, verbose_name='coding of the names')),
                ('total', models.PositiveIntegerField(default=0, help_text='Files in it.')),
                ('processed', models.PositiveIntegerField(default=0, help_text='Files that were looked at.')),
                ('added', models.PositiveIntegerField(default=0)),
                ('skipped', models.JSONField(default=list, help_text='Of each skipped file: its path, whose it is, and why.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('course', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='photo_imports', to='academics.course')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photo_imports', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='FacePhoto',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file', models.FileField(upload_to=campus.biometrics.models.photo_path)),
                ('original_name', models.CharField(blank=True, editable=False, max_length=255, verbose_name='file name')),
                ('sha256', models.CharField(editable=False, max_length=64)),
                ('state', models.CharField(choices=[('pending', 'not checked yet'), ('accepted', 'accepted'), ('warning', 'usable, with a warning'), ('rejected', 'rejected')], default='pending', editable=False, max_length=10, verbose_name='state')),
                ('reason', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='reason')),
                ('face_px', models.FloatField(default=0, editable=False, verbose_name='face height in pixels')),
                ('quality', models.FloatField(default=0, editable=False, verbose_name='quality')),
                ('crop', models.FileField(blank=True, editable=False, upload_to='crops/photos', verbose_name='face')),
                ('thumbnail', models.FileField(blank=True, editable=False, help_text='Where there is no face to show.', upload_to='thumbnails')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='made at')),
                ('confirmed_at', models.DateTimeField(editable=False, null=True, verbose_name='confirmed at')),
                ('confirmed_by', models.CharField(blank=True, editable=False, max_length=150, verbose_name='confirmed by')),
                ('consented_at', models.DateTimeField(editable=False, null=True, verbose_name='student agreed at')),
                ('student', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='academics.student', verbose_name='student')),
                ('photo_import', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='photos', to='biometrics.photoimport')),
            ],
            options={
                'verbose_name': 'photo',
                'verbose_name_plural': 'photos',
                'ordering': ['student__sort_key', 'created_at'],
            },
        ),
        migrations.CreateModel(
            name='PhotoLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('expires_at', models.DateTimeField()),
                ('consented_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('student', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='photo_link', to='academics.student')),
            ],
            options={
                'ordering': ['student__sort_key'],
            },
        ),
        migrations.CreateModel(
            name='SentPhoto',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file', models.FileField(blank=True, upload_to=campus.biometrics.models.sent_photo_path)),
                ('original_name', models.CharField(max_length=255)),
                ('sha256', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('checking', 'being looked at'), ('rejected', 'not usable'), ('waiting', 'waiting for approval'), ('approved', 'approved'), ('refused', 'refused')], default='checking', max_length=10, verbose_name='state')),
                ('fault', models.CharField(blank=True, max_length=20)),
                ('picture', models.FileField(blank=True, upload_to='sent')),
                ('refusal', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('decided_by', models.CharField(blank=True, help_text="The registrar's name.", max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('link', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='photos', to='biometrics.photolink')),
            ],
            options={
                'ordering': ['created_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='WaitingPhoto',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('folder', models.TextField(help_text='The folder that it lay in; its own name if it lay in none.')),
                ('raw_name', models.BinaryField(help_text='Its path in the zip, where the coding is not certain.', null=True)),
                ('original_name', models.CharField(max_length=255)),
                ('file', models.FileField(upload_to=campus.biometrics.models.waiting_path)),
                ('sha256', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('new', 'not shown yet'), ('queued', 'in progress'), ('ready', 'ready'), ('failed', 'failed')], default='new', max_length=10)),
                ('thumbnail', models.FileField(blank=True, upload_to='imports')),
                ('photo_import', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='waiting', to='biometrics.photoimport')),
            ],
            options={
                'ordering': ['folder', 'original_name'],
            },
        ),
        migrations.CreateModel(
            name='Embedding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('embedder', models.CharField(max_length=60)),
                ('vector', campus.common.encrypted_fields.EncryptedBinaryField(editable=False, null=True, verbose_name='float32 unit vector')),
                ('photo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='embeddings', to='biometrics.facephoto')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('photo', 'embedder'), name='one_embedding_a_photo_and_embedder')],
            },
        ),
        migrations.CreateModel(
            name='Gallery',
            fields=[
                ('attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', campus.common.messages.MessageField(blank=True, default=campus.common.messages.LocalizedMessage, editable=False, verbose_name='what went wrong')),
                ('error_detail', models.TextField(blank=True, editable=False, verbose_name='details for the administrator')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('queued', 'waiting or training'), ('ready', 'ready'), ('failed', 'failed')], default='queued', editable=False, max_length=10, verbose_name='state')),
                ('active', models.BooleanField(default=False, editable=False, help_text='The one that attendance is taken with.', verbose_name='active')),
                ('embedder', models.CharField(blank=True, editable=False, max_length=60, verbose_name='face model')),
                ('path', models.CharField(blank=True, editable=False, max_length=200)),
                ('sha256', models.CharField(blank=True, editable=False, max_length=64)),
                ('threshold', models.FloatField(editable=False, null=True, verbose_name='threshold')),
                ('margin', models.FloatField(editable=False, null=True, verbose_name='margin')),
                ('students', models.PositiveIntegerField(default=0, editable=False, verbose_name='students')),
                ('photos', models.PositiveIntegerField(default=0, editable=False, verbose_name='photos')),
                ('photos_digest', models.CharField(blank=True, editable=False, help_text='The SHA-256 of which photos of whom it is made of.', max_length=64)),
                ('report', models.JSONField(blank=True, default=dict, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='made at')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='galleries', to='academics.course', verbose_name='class')),
            ],
            options={
                'verbose_name': 'gallery',
                'verbose_name_plural': 'galleries',
                'ordering': ['-created_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('active', True)), fields=('course',), name='one_active_gallery_a_class'), models.CheckConstraint(condition=models.Q(('active', False), ('state', 'ready'), _connector='OR'), name='only_a_ready_gallery_is_active')],
            },
        ),
        migrations.CreateModel(
            name='LectureFace',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('crop', models.CharField(help_text='The media file.', max_length=200, unique=True)),
                ('sha256', models.CharField(max_length=64)),
                ('quality', models.FloatField(verbose_name='quality')),
                ('state', models.CharField(choices=[('new', 'checked at the next training'), ('learnt', 'learnt'), ('unlike', 'not learnt: unlike the photos'), ('refused', 'not learnt: refused')], default='new', max_length=10, verbose_name='state')),
                ('embedder', models.CharField(blank=True, max_length=60, verbose_name='face model')),
                ('vector', campus.common.encrypted_fields.EncryptedBinaryField(editable=False, null=True, verbose_name='float32 unit vector')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='made at')),
                ('lecture', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='faces', to='academics.lecture', verbose_name='lecture')),
                ('student', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lecture_faces', to='academics.student', verbose_name='student')),
            ],
            options={
                'verbose_name': 'face from a lecture',
                'verbose_name_plural': 'faces from lectures',
                'ordering': ['-lecture__starts_at', 'student__sort_key', '-quality', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('student', 'lecture', 'sha256'), name='a_lecture_face_once_a_student')],
            },
        ),
        migrations.CreateModel(
            name='LookAlike',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('similarity', models.FloatField(help_text='The cosine of their templates.')),
                ('found_at', models.DateTimeField(auto_now_add=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.CharField(blank=True, max_length=150)),
                ('first', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='academics.student')),
                ('second', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='academics.student')),
            ],
            options={
                'ordering': ['-similarity', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('first', 'second'), name='a_pair_of_look_alikes_once'), models.CheckConstraint(condition=models.Q(('first__lt', models.F('second'))), name='look_alikes_are_in_order')],
            },
        ),
        migrations.AddConstraint(
            model_name='facephoto',
            constraint=models.UniqueConstraint(fields=('student', 'sha256'), name='a_photo_once_a_student'),
        ),
        migrations.AddConstraint(
            model_name='sentphoto',
            constraint=models.UniqueConstraint(fields=('link', 'sha256'), name='a_sent_photo_once_a_link'),
        ),
        migrations.AddConstraint(
            model_name='waitingphoto',
            constraint=models.UniqueConstraint(fields=('photo_import', 'folder', 'sha256'), name='a_waiting_photo_once_a_folder'),
        ),
    ]
