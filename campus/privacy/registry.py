"""All places with personal data: each field of each model, and each folder. A test fails on what is not in here, so
that nobody adds a place that no erasure, no term and no record of processing knows.
"""

from typing import Final

from campus.privacy.registry_entry import (
    ACCOUNTS,
    ATTENDANCE,
    BYSTANDERS,
    DELIVERY,
    EVERYBODY_SEEN,
    EVIDENCE,
    GUARDIANS,
    OPERATION,
    PROOF,
    RECOGNITION,
    SENDERS,
    STAFF,
    STUDENTS,
    TEACHING,
    WHILE_ENROLLED,
    WITH_ACCOUNT,
    WITH_PARENT,
    Entry,
    Kind,
)


def _plain(fields: str) -> Entry:
    """A model about nobody."""
    return Entry(plain=fields)


def _of_staff(personal: str, plain: str, purpose: str, term: Kind | str) -> Entry:
    return Entry(
        personal=personal,
        plain=plain,
        whose=(STAFF,),
        purpose=purpose,
        term=term,
        kept="it is about staff, not students",
    )


_ANONYMOUS = "the row names nobody any more once the student's name and number are erased"

MODELS: Final[dict[str, Entry]] = {
    # Django and its packages.
    "admin.LogEntry": Entry(
        personal="user object_id object_repr change_message",
        plain="id action_time content_type action_flag",
        whose=(STAFF, STUDENTS),
        purpose=PROOF,
        term=WITH_ACCOUNT,
        steps="log",
    ),
    "auth.Permission": _plain("id name content_type codename"),
    "auth.Group_permissions": _plain("id group permission"),
    "auth.Group": _plain("id name"),
    "auth.User_groups": _of_staff(personal="user", plain="id group", purpose=ACCOUNTS, term=WITH_ACCOUNT),
    "auth.User_user_permissions": _of_staff(
        personal="user", plain="id permission", purpose=ACCOUNTS, term=WITH_ACCOUNT
    ),
    "auth.User": _of_staff(
        personal="password last_login username first_name last_name email date_joined",
        plain="id is_superuser is_staff is_active",
        purpose=ACCOUNTS,
        term="until an administrator deletes the account",
    ),
    "contenttypes.ContentType": _plain("id app_label model"),
    "sessions.Session": _plain("session_key session_data expire_date"),  # unused: accounts.LoginSession is
    "django_celery_beat.SolarSchedule": _plain("id event latitude longitude"),
    "django_celery_beat.IntervalSchedule": _plain("id every period"),
    "django_celery_beat.ClockedSchedule": _plain("id clocked_time"),
    "django_celery_beat.CrontabSchedule": _plain("id minute hour day_of_month month_of_year day_of_week timezone"),
    "django_celery_beat.PeriodicTasks": _plain("ident last_update"),
    "django_celery_beat.PeriodicTask": _plain(
        "id name task interval crontab solar clocked args kwargs queue exchange routing_key headers priority expires "
        "expire_seconds one_off start_time enabled last_run_at total_run_count date_changed description"
    ),
    # Accounts of staff, and the log of what was done.
    "monitoring.Worker": _plain("id name processes queues paused_queues problem started_at seen_at"),
    "accounts.ApiToken": _of_staff(
        personal="user name last_used_at",
        plain="id scope prefix digest created_at expires_at",
        purpose=ACCOUNTS,
        term=WITH_ACCOUNT,
    ),
    "accounts.TwoFactorDevice": _of_staff(
        personal="user secret", plain="last_time_step created_at", purpose=ACCOUNTS, term=WITH_ACCOUNT
    ),
    "accounts.RecoveryCode": _of_staff(personal="device", plain="id digest", purpose=ACCOUNTS, term=WITH_ACCOUNT),
    "accounts.LoginSession": _of_staff(
        personal="session_data user logged_in_at address device external_subject external_session",
        plain="session_key expire_date login_id provider",
        purpose=ACCOUNTS,
        term="half a day: it ends with the login",
    ),
    "accounts.Invitation": _of_staff(
        personal="user invited_by",
        plain="id key expires_at",
        purpose=ACCOUNTS,
        term="until it is accepted or withdrawn",
    ),
    "accounts.AccountEvent": _of_staff(
        personal="user about done_by address device",
        plain="id kind created_at",
        purpose=PROOF,
        term=Kind.ACCOUNT_EVENTS,
    ),
    "accounts.Institution": _plain(
        "id name legal_basis basis_text basis_chosen basis_since automatic_marking objection_days"
    ),
    "accounts.Preferences": _of_staff(
        personal="user language", plain="id tour_ended", purpose=OPERATION, term=WITH_ACCOUNT
    ),
    "audit.AuditEntry": Entry(
        personal="actor_id actor_name student_id about",
        plain="id at actor_role action lecture_id course_id sequence previous_hash hash",
        whose=(STAFF, STUDENTS),
        purpose=PROOF,
        term=Kind.AUDIT_LOG,
        kept="it has the row's number alone, which names nobody any more",
    ),
    "audit.AuditCheckpoint": _plain("id sequence hash"),
    # Classes and who is in them.
    "academics.FileImport": Entry(
        personal="user file original_name options content",
        plain="id course kind state created_at",
        whose=(STUDENTS, GUARDIANS, STAFF),
        purpose=TEACHING,
        term="a day",
        steps="imports",
    ),
    "academics.Term": _plain("id name first_day last_day archived country region"),
    "academics.Course_lecturers": _of_staff(personal="user", plain="id course", purpose=TEACHING, term=WITH_ACCOUNT),
    "academics.Course": _of_staff(
        personal="coordinator_name coordinator_email",
        plain="id code code_key name name_key search_key term archived present_seconds present_percent late_minutes "
        "early_minutes strictness embedder automatic_marking gallery_outdated_at lecture_faces_since roster_changed_at "
        "is_sample",
        purpose=TEACHING,
        term="until the class is erased",
    ),
    "academics.Student": Entry(
        personal="number number_key name name_key surname sort_key email guardian_phone automatic_marking",
        plain="id guest is_sample created_at erased_at",
        whose=(STUDENTS, GUARDIANS),
        purpose=TEACHING,
        term=Kind.STUDENTS,
        steps="identity",
    ),
    "academics.Enrolment": Entry(
        personal="student section valid_from valid_to",
        plain="id course",
        whose=(STUDENTS,),
        purpose=TEACHING,
        term=WHILE_ENROLLED,
        kept=_ANONYMOUS,
    ),
    "academics.Room": _plain("id name key building search_key seats is_sample"),
    "academics.Holiday": _plain("id name first_day last_day public"),
    "academics.LectureSeries": _plain(
        "id course title room weekdays every_weeks starts ends first_day last_day time_zone"
    ),
    "academics.Lecture": _plain(
        "id course title search_key room starts_at ends_at cancelled series series_day detached uid"
    ),
    "academics.CalendarLink": _of_staff(
        personal="user used_at", plain="id course created_at", purpose=TEACHING, term=WITH_ACCOUNT
    ),
    # Who may be recognised.
    "consent.ConsentText": _plain("id version language text valid_from"),
    "consent.Consent": Entry(
        personal="student given method recorded_by",
        plain="id text at expires_at withdrawn_at is_current",
        whose=(STUDENTS, STAFF),
        purpose=PROOF,
        term=WHILE_ENROLLED,
        kept=_ANONYMOUS,
    ),
    "consent.StudentLink": Entry(
        personal="student created_by",
        plain="id key expires_at",
        whose=(STUDENTS, STAFF),
        purpose=DELIVERY,
        term="a month after it has ended",
        steps="photos",
    ),
    # Who signs in elsewhere.
    "identity.IdentityProvider": _plain(
        "id kind slug name active for_staff for_students settings secret matching match_claim student_number_claim "
        "creates_accounts replaces_passwords second_factor_values created_at"
    ),
    "identity.ExternalIdentity": Entry(
        personal="issuer subject user student last_sign_in_at claims",
        plain="id provider linked_at linked_by_rule",
        whose=(STAFF, STUDENTS),
        purpose=ACCOUNTS,
        term="as long as the account, or the student's attendance",
        steps="identity",
    ),
    "identity.ExternalIdentity_granted_courses": _of_staff(
        personal="externalidentity", plain="id course", purpose=ACCOUNTS, term=WITH_ACCOUNT
    ),
    "identity.AccessRule": _plain("id provider claim value role course order"),
    "identity.PasswordLogin": _of_staff(personal="user", plain="created_at", purpose=ACCOUNTS, term=WITH_ACCOUNT),
    "identity.FailedSignIn": Entry(
        personal="error claims",
        plain="id provider code at",
        whose=(STAFF, STUDENTS),
        purpose=ACCOUNTS,
        term=Kind.ACCOUNT_EVENTS,
        steps="identity",
    ),
    "identity.UsedToken": _plain("digest expires_at"),
    "identity.SamlMetadata": _plain("id provider entity_id xml fetched_at checked_at"),
    "identity.ScimToken": _plain("id provider prefix digest created_at last_used_at"),
    "identity.ProvisionedUser": _of_staff(
        personal="user user_name user_name_key external_id attributes",
        plain="id provider active version created_at changed_at",
        purpose=ACCOUNTS,
        term=WITH_ACCOUNT,
    ),
    "identity.ProvisionedGroup": _plain("id provider display_name external_id version created_at changed_at"),
    "identity.ProvisionedGroup_members": _of_staff(
        personal="provisioneduser", plain="id provisionedgroup", purpose=ACCOUNTS, term=WITH_ACCOUNT
    ),
    # Faces.
    "biometrics.FacePhoto": Entry(
        personal="student file original_name sha256 reason crop thumbnail confirmed_by",
        plain="id state face_px quality created_at confirmed_at photo_import",
        whose=(STUDENTS,),
        purpose=RECOGNITION,
        term=Kind.PHOTOS,
        steps="photos",
    ),
    "biometrics.PhotoImport": Entry(
        personal="user file original_name skipped",
        plain="id course state name_encoding total processed added created_at",
        whose=(STUDENTS, STAFF),
        purpose=RECOGNITION,
        term="a week",
        steps="imports",
    ),
    "biometrics.WaitingPhoto": Entry(
        personal="folder raw_name original_name file sha256 thumbnail",
        plain="id photo_import state",
        whose=(STUDENTS,),
        purpose=RECOGNITION,
        term="a week",
        steps="photos",
    ),
    "biometrics.SentPhoto": Entry(
        personal="link file original_name sha256 fault picture refusal decided_by",
        plain="id state created_at",
        whose=(STUDENTS, STAFF),
        purpose=RECOGNITION,
        term="a month after the link has ended",
        steps="photos",
    ),
    "biometrics.Embedding": Entry(
        personal="photo vector",
        plain="id embedder",
        whose=(STUDENTS,),
        purpose=RECOGNITION,
        term=Kind.PHOTOS,
        steps="photos",
    ),
    "biometrics.LectureFace": Entry(
        personal="student lecture crop sha256 vector",
        plain="id quality state embedder created_at",
        whose=(STUDENTS,),
        purpose=RECOGNITION,
        term=Kind.LECTURE_FACES,
        steps="photos",
    ),
    "biometrics.LookAlike": Entry(
        personal="first second similarity decided_by",
        plain="id found_at decided_at",
        whose=(STUDENTS, STAFF),
        purpose=RECOGNITION,
        term=WHILE_ENROLLED,
        steps="photos",
    ),
    "biometrics.Gallery_members": Entry(
        personal="student",
        plain="id gallery",
        whose=(STUDENTS,),
        purpose=RECOGNITION,
        term=Kind.GALLERIES,
        steps="galleries",
    ),
    "biometrics.Gallery": Entry(
        personal="path photos_digest report",
        plain="id course state active embedder sha256 threshold margin students photos photos_deleted created_at",
        whose=(STUDENTS,),
        purpose=RECOGNITION,
        term=Kind.GALLERIES,
        steps="galleries",
    ),
    # Cameras and recordings.
    "cctv.Source": _of_staff(
        personal="username secret message_secret",
        plain="id name kind address host_key pattern time_zone clock_offset delay_minutes deadline_hours "
        "scan_interval_minutes max_kib_per_second max_file_gib max_gib_per_day enabled created_at state failed_scans "
        "next_scan_at measured_clock_offset clock_measured_by clock_measured_at last_checked_at last_new_file_at",
        purpose=OPERATION,
        term="until the source is deleted",
    ),
    "cctv.SourceTest": _plain("id source state requested_at files file_count channels camera_report"),
    "cctv.DeviceSearch": _plain("id state requested_at devices"),
    "cctv.Camera": _plain("id stream aspect_ratio rotation is_mirrored source label room"),
    "cctv.FootageFile": Entry(
        personal="file",
        plain="id source camera lecture path size modified_at starts_at ends_at state fetched_bytes sha256 info "
        "retry_count retry_at fully_written note needs_assignment discovered_at fetched_at",
        whose=EVERYBODY_SEEN,
        purpose=ATTENDANCE,
        term=Kind.FOOTAGE,
        kept="it shows a room; what says who is seen in it is erased, and the file goes by its term",
    ),
    "cctv.Collection": _plain("id lecture slot state check_count next_check_at deadline_at finished_at note"),
    "cctv.Alarm": _plain("id kind key text started_at ended_at"),
    "recordings.Recording": Entry(
        personal="file original_name uploaded_by review_reasons fitting_courses",
        plain="stream aspect_ratio rotation is_mirrored id lecture camera provisional size sha256 created_at replaces "
        "offset offset_source state held accepted_reasons dismissed run info duration embedder gallery strictness "
        "coverage planned_at finished_at footage_deleted_at crops_deleted_at",
        whose=EVERYBODY_SEEN,
        purpose=ATTENDANCE,
        term=Kind.FOOTAGE,
        kept="it shows a room; what says who is seen in it is erased, and the file goes by its term",
    ),
    "recordings.Clip": _plain("id recording footage_file start end recording_start sha256"),
    "recordings.Segment": Entry(
        personal="result recognised_students",
        plain="id recording clip index start end state progress strangers_forgotten faces tracks light motion "
        "finished_at",
        whose=EVERYBODY_SEEN,
        purpose=ATTENDANCE,
        term="until the vote; tracks that another vote needs, a day at most, without embeddings of strangers",
        steps="tracks",
    ),
    "recordings.Upload": _of_staff(
        personal="user original_name",
        plain="id lecture size offset sha256 recording_offset replaces writer parts_id created_at expires_at recording",
        purpose=ATTENDANCE,
        term="a day after it has ended",
    ),
    # What is sent.
    "outbox.Webhook": _plain("id url course active secret previous_secret previous_secret_until created_at"),
    "outbox.MessageSettings": _plain(
        "id gateway url headers body_format body secret success_statuses mail_address quiet_from quiet_until "
        "daily_limit daily_limit_per_recipient price currency"
    ),
    "outbox.MessageOptIn": Entry(
        personal="student recipient channel address name language text method code recorded_by withdrawn_by",
        plain="id given_at confirmed_at withdrawn_at",
        whose=(STUDENTS, GUARDIANS, STAFF),
        purpose=PROOF,
        term=WHILE_ENROLLED,
        steps="messages",
    ),
    "outbox.Delivery": Entry(
        personal="to opt_in subject body topic",
        plain="id webhook event key state tries parts due_at created_at sent_at",
        whose=(STUDENTS, STAFF, GUARDIANS, SENDERS),
        purpose=DELIVERY,
        term=Kind.MESSAGES,
        steps="messages",
    ),
    # Learning platforms and registry systems.
    "connections.Connection": _plain(
        "id kind name active dry_run settings secret calls_per_minute schedule change_limit_percent sign_in due_at "
        "last_run_at last_ok_at last_error calls_minute calls created_at"
    ),
    "connections.CourseLink": _plain(
        "id connection course remote_id remote_name settings takes_roster sends_marks marks_changed_at marks_tries "
        "marks_due_at question created_at"
    ),
    "connections.RemotePerson": Entry(
        personal="remote_id number_key student",
        plain="id connection",
        whose=(STUDENTS,),
        purpose=TEACHING,
        term="as long as the other system is connected",
        steps="identity",
    ),
    "connections.ConnectionRun": Entry(
        personal="user zip",
        plain="id connection link task state file_import counts result started_at waits_until ended_at",
        whose=(STAFF, STUDENTS),
        purpose=OPERATION,
        term="a month; an uploaded zip a day",
        steps="imports",
    ),
    "connections.MarkDelivery": Entry(
        personal="student remote_person value confirmed_value error",
        plain="id link lecture remote_item version changed_at tried_version confirmed_version confirmed_at state tries",
        whose=(STUDENTS,),
        purpose=DELIVERY,
        term="as long as the class is linked; after an erasure of the student or class, until it is taken away there",
        steps="identity",
    ),
    "connections.SigningKey": _plain("id private created_at"),
    "connections.RegistrationLink": _of_staff(
        personal="created_by", plain="id key expires_at", purpose=OPERATION, term="a day"
    ),
    # Attendance.
    "attendance.AnnotatedVideo": Entry(
        personal="user student file",
        plain="id recording start end blur_others state progress created_at",
        whose=EVERYBODY_SEEN,
        purpose=EVIDENCE,
        term=Kind.ANNOTATED_VIDEOS,
        steps="evidence",
    ),
    "attendance.FeedState": _plain("id generation last_sequence"),
    "attendance.FeedEntry": Entry(
        personal="row_id",
        plain="id kind sequence",
        whose=(STUDENTS,),
        purpose=ATTENDANCE,
        term=WITH_PARENT,
        kept="it has the row's number alone, by which copies in other systems learn that the row is erased",
    ),
    "attendance.UnknownComparison": _plain("id course state requested_at"),
    "attendance.Objection": Entry(
        personal="text answer answered_by",
        plain="id record at due_on upheld answered_at",
        whose=(STUDENTS, STAFF),
        purpose=PROOF,
        term=Kind.ATTENDANCE,
        steps="objections",
    ),
    "attendance.Excuse": Entry(
        personal="student first_day last_day reason document document_name user user_name withdrawn_by",
        plain="id course created_at withdrawn_at",
        whose=(STUDENTS, STAFF),
        purpose=ATTENDANCE,
        term=Kind.EXCUSE_DOCUMENTS,
        steps="excuses",
    ),
    "attendance.RegisterPolicy": Entry(
        personal="warning_addresses",
        plain="id course required_percent mail_lecturers mail_absentees write_moodle_file mail_weekly_register "
        "message_absent message_below message_excuse",
        whose=(STAFF, SENDERS),
        purpose=DELIVERY,
        term=WITH_PARENT,
        kept="it is about staff, not students",
    ),
    "attendance.AttendanceStatus": _plain("id code name letter points is_counted meaning moodle_acronym position"),
    "attendance.Sighting": Entry(
        personal="student present to_confirm runner_up recognisable intervals seconds share confidence lead crops "
        "face_positions",
        plain="id recording",
        whose=(STUDENTS,),
        purpose=EVIDENCE,
        term=Kind.CROPS,
        steps="evidence",
    ),
    "attendance.FaceOverride": Entry(
        personal="student face_positions user user_name",
        plain="id recording action created_at",
        whose=(STUDENTS, STAFF, BYSTANDERS),
        purpose=EVIDENCE,
        term=WITH_PARENT,
        steps="evidence",
    ),
    "attendance.UnknownPerson": Entry(
        personal="intervals seconds crops face_positions resembles override same_as group",
        plain="id recording index is_static",
        whose=(BYSTANDERS, STUDENTS),
        purpose=EVIDENCE,
        term=Kind.UNKNOWN_FACES,
        steps="evidence",
    ),
    "attendance.AttendanceRecord": Entry(
        personal="student machine_status override_status first_seen last_seen seconds share confidence",
        plain="id lecture updated_at",
        whose=(STUDENTS,),
        purpose=ATTENDANCE,
        term=Kind.ATTENDANCE,
        kept=_ANONYMOUS,
    ),
    "attendance.AttendanceChange": Entry(
        personal="record old_override old_status new_status about reason user user_name",
        plain="id lecture kind batch created_at",
        whose=(STUDENTS, STAFF),
        purpose=PROOF,
        term=Kind.ATTENDANCE,
        steps="corrections",
    ),
    "attendance.SignOff": _of_staff(
        personal="user user_name", plain="id lecture signed_at", purpose=PROOF, term=Kind.ATTENDANCE
    ),
    "attendance.Snapshot": Entry(
        personal="user file",
        plain="id recording footage_file time stream state",
        whose=EVERYBODY_SEEN,
        purpose=EVIDENCE,
        term=Kind.SNAPSHOTS,
        steps="evidence",
    ),
    "attendance.Report": Entry(
        personal="file_name",
        plain="id course lecture recording sha256 version created_at",
        whose=(STUDENTS,),
        purpose=ATTENDANCE,
        term=Kind.WORKBOOKS,
        steps="workbooks",
    ),
    # Privacy itself, and the server.
    "privacy.RetentionRule": _plain("id kind course days"),
    "privacy.RetentionRun": _plain("id day deleted held failed ended_at"),
    "privacy.LegalHold": Entry(
        personal="student reason user user_name",
        plain="id course lecture until created_at",
        whose=(STUDENTS, STAFF),
        purpose=PROOF,
        term="until the hold ends",
        kept="as long as a hold is in force, its student is not erased",
    ),
    "privacy.Erasure": Entry(
        personal="subject terms requested_by requested_by_name",
        plain="id kind state steps removed doubtful created_at finished_at",
        whose=(STUDENTS, STAFF),
        purpose=PROOF,
        term="the words to look for go with the erasure; the receipt stays, which names nobody",
        kept="it is the receipt",
    ),
    "operations.RequestCount": _plain("id view_name method status le requests seconds"),
    "operations.Backup": _plain("id name finished_at size"),
    "api.IdempotencyKey": Entry(
        personal="user body",
        plain="id key fingerprint status created_at",
        whose=(STAFF, STUDENTS),
        purpose=OPERATION,
        term="a day",
        steps="imports",
    ),
}
