import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    record = apps.get_model("attendance", "AttendanceRecord").objects.filter(pk=OuterRef("record"))
    apps.get_model("attendance", "AttendanceChange").objects.update(lecture=Subquery(record.values("lecture")))


class Migration(migrations.Migration):
    # PostgreSQL changes no column in the transaction that filled it.
    atomic = False

    dependencies = [("attendance", "0003_people_decide")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, atomic=True),
        migrations.AlterField(
            model_name="attendancechange",
            name="lecture",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="changes", to="academics.lecture"),
        ),
    ]
