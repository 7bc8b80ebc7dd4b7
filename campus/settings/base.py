"""Settings that all environments share.

The values come from environment variables; `deploy/environment.example` explains them.
"""

import tomllib
from pathlib import Path
from typing import Any

import environ

from recognition.cli.environment import inference_precision, network_cache_folder, weights_folder

from .encryption_keys import parse_keys
from .file_stores import file_stores
from .unfold import unfold

env = environ.FileAwareEnv()

BASE_DIR = Path(__file__).resolve().parents[2]
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
DATA_DIR = Path(env.str("ROLLCALL_DATA_DIR", default=str(BASE_DIR / "var")))
REPORTS_DIR = Path(env.str("ROLLCALL_REPORTS_DIR", default=str(BASE_DIR / "Reports")))

DEBUG = False
# Whether /styleguide/ is there, for those who build pages.
STYLEGUIDE = False
SECRET_KEY = env.str("ROLLCALL_SECRET_KEY", default="")
# They encrypt faces and secrets at rest, the newest first; see campus/common/encryption.py.
ENCRYPTION_KEYS = parse_keys(env.str("ROLLCALL_ENCRYPTION_KEYS", default=""))
ALLOWED_HOSTS: list[str] = env.list("ROLLCALL_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "campus.web.admin_site.RollcallAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "campus.monitoring.apps.MonitoringConfig",
    "campus.accounts.apps.AccountsConfig",
    "campus.audit.apps.AuditConfig",
    "campus.academics.apps.AcademicsConfig",
    "campus.consent.apps.ConsentConfig",
    "campus.identity.apps.IdentityConfig",
    "campus.biometrics.apps.BiometricsConfig",
    "campus.cctv.apps.CctvConfig",
    "campus.recordings.apps.RecordingsConfig",
    "campus.outbox.apps.OutboxConfig",
    "campus.attendance.apps.AttendanceConfig",
    "campus.connections.apps.ConnectionsConfig",
    "campus.privacy.apps.PrivacyConfig",
    "campus.operations.apps.OperationsConfig",
    "campus.api.apps.ApiConfig",
    "campus.web.apps.WebConfig",
]

MIDDLEWARE = [
    "campus.web.middleware.name_request",
    "campus.operations.request_counts.count_requests",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "campus.web.middleware.set_security_headers",
    "campus.web.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "campus.web.body_limits.BodyLimitMiddleware",  # before all that may read a body
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "campus.accounts.history.remember_request",
    "campus.web.audited_reads.record_reads",
    "django.contrib.messages.middleware.MessageMiddleware",
    "campus.accounts.access.ReadOnlyRoleMiddleware",
    "campus.accounts.recent_login.RecentLoginMiddleware",
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROOT_URLCONF = "campus.urls"
WSGI_APPLICATION = "campus.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "campus" / "web" / "templates"],  # before the templates of the admin's theme
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "campus.web.context_processors.institution",
            ],
        },
    },
]

DATABASES = {"default": env.db_url("ROLLCALL_DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'rollcall.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers and one writer work at once. IMMEDIATE makes writers queue instead of failing half-way.
    _options: dict[str, Any] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # Whoever is cut off from the database notices within a minute, not after hours.
    _options = {
        "connect_timeout": 10,
        "tcp_user_timeout": 60_000,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
DATABASES["default"]["OPTIONS"] = _options | DATABASES["default"].get("OPTIONS", {})  # those of the address
# A thread keeps its connection: opening one takes longer than most requests. The address's ?conn_max_age=0 is for a
# pooler.
DATABASES["default"].setdefault("CONN_MAX_AGE", 60)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["campus.identity.passwords.PasswordBackend"]
# How many of our own proxies stand before the application; nobody else's X-Forwarded-For is believed.
TRUSTED_PROXIES = env.int("ROLLCALL_TRUSTED_PROXIES", default=0)
# Counts wrong passwords. Several web processes need one that they share: redis://host:6379/1
CACHES = {"default": env.cache_url("ROLLCALL_CACHE_URL", default="locmemcache://")}
if CACHES["default"]["BACKEND"] == "django.core.cache.backends.redis.RedisCache":
    CACHES["default"] |= {
        "BACKEND": "campus.common.fallback_cache.FallbackRedisCache",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
# A login ends with the browser, or after a working day.
SESSION_ENGINE = "campus.accounts.session_store"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = env.int("ROLLCALL_SESSION_HOURS", default=12) * 3600
PASSWORD_RESET_TIMEOUT = 3600

# The institution's language: of e-mails, workbooks, and pages for which nobody has chosen another one.
LANGUAGE_CODE = env.str("ROLLCALL_LANGUAGE", default="en-gb")
# In their own names. The browser's wish counts until somebody chooses one.
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "campus" / "locale"]
FORMAT_MODULE_PATH = ["campus.formats"]
TIME_ZONE = env.str("ROLLCALL_TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
# Never served from a public folder: every picture and recording goes through a permission check.
MEDIA_ROOT = DATA_DIR / "media"
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
# Beside the media, so that a finished upload is renamed into place and not copied.
FILE_UPLOAD_TEMP_DIR = str(DATA_DIR / "uploads")
for _folder in (DATA_DIR / "uploads", MEDIA_ROOT, STATIC_ROOT, REPORTS_DIR):
    _folder.mkdir(parents=True, exist_ok=True)
FILE_UPLOAD_PERMISSIONS = 0o600
# Where files are stored: empty for the folders above, or s3://bucket/prefix?endpoint=https://...
STORAGE_URL = env.str("ROLLCALL_STORAGE_URL", default="")
# Whether recordings are sent straight to S3, to addresses that are signed for each sender.
DIRECT_UPLOADS = env.bool("ROLLCALL_DIRECT_UPLOADS", default=False)
# How much of its own disk a worker uses for copies of what it reads there.
STORAGE_CACHE_BYTES = env.int("ROLLCALL_STORAGE_CACHE_BYTES", default=50 * 1024**3)
STORAGES = {
    "default": {"BACKEND": "campus.common.storage.EncryptedStorage"},
    **file_stores(STORAGE_URL),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "campus.accounts.authentication.TokenAuthentication",
        "campus.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["campus.api.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "campus.api.negotiation.SingleFormatNegotiation",
    "DEFAULT_SCHEMA_CLASS": "campus.api.schema.Schema",
    "EXCEPTION_HANDLER": "campus.api.exception_handler.exception_handler",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "DEFAULT_PAGINATION_CLASS": "campus.api.pagination.ListPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "campus.api.pagination.StableOrdering",
    ],
    "DEFAULT_THROTTLE_RATES": {"login": "10/min"},
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Rollcall",
    "DESCRIPTION": (
        "Attendance from lecture recordings, by face.\n\n"
        "Send a token from your account page as `Authorization: Bearer ...`. Lists are paginated: follow `next`. "
        "GET returns an `ETag`. Send it as `If-None-Match` to get a response only if something has changed, and as "
        "`If-Match` with a change, so that you do not overwrite what somebody else has changed. "
        "A POST with an `Idempotency-Key` can be repeated safely. "
        "Errors are `application/problem+json`, with a sentence in `detail`."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "campus.api.schema.describe_refusals"],
    # "status" and "state" are fields of several things: each choice has one name.
    "ENUM_NAME_OVERRIDES": {
        "MachineStatus": "campus.attendance.models.Status",
        "RecordingState": "campus.recordings.models.Recording.State",
        "GalleryState": "campus.biometrics.models.Gallery.State",
        "SegmentState": "campus.recordings.models.Segment.State",
        "ErasureState": "campus.privacy.models.Erasure.State",
        "Role": "campus.accounts.roles.Role",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# The mail server: smtp+tls://user:password@host:587. By default, e-mails are written to the log.
globals().update(env.email_url("ROLLCALL_EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("ROLLCALL_EMAIL_FROM", default="rollcall@localhost")

# The institution's name as long as none was given on the pages.
DEFAULT_INSTITUTION = "Rollcall"
INSTITUTION = env.str("ROLLCALL_INSTITUTION", default=DEFAULT_INSTITUTION)
UNFOLD = unfold()
# Whether m5001 and M5001 are two students. After a change, `migrate` writes the keys anew.
STUDENT_NUMBERS_CASE_SENSITIVE = env.bool("ROLLCALL_STUDENT_NUMBERS_CASE_SENSITIVE", default=False)

# The broker: a Redis database of its own, with JSON messages and no results. See campus/common/jobs.py.
BROKER_URL = env.str("ROLLCALL_REDIS_URL", default="redis://127.0.0.1:6379/0")

# A worker renews its lease on a job. A lease that was not renewed for LEASE_SECONDS is free for another worker.
LEASE_SECONDS = env.int("ROLLCALL_LEASE_SECONDS", default=60)
# A worker says so often that it runs. One that is silent for almost three times as long is gone, and others take over
# what it held.
HEARTBEAT_SECONDS = env.float("ROLLCALL_HEARTBEAT_SECONDS", default=5.0)
SWEEP_SECONDS = env.int("ROLLCALL_SWEEP_SECONDS", default=15)
MAX_ATTEMPTS = env.int("ROLLCALL_MAX_ATTEMPTS", default=3)

# Recognition.
EMBEDDER = env.str("ROLLCALL_EMBEDDER", default="dlib-resnet-v1")
WEIGHTS_DIR = weights_folder(DATA_DIR)
NETWORK_CACHE_DIR = network_cache_folder(DATA_DIR)
INFERENCE_PRECISION = inference_precision()
SAMPLE_SECONDS = env.float("ROLLCALL_SAMPLE_SECONDS", default=2.0)
SEGMENT_SECONDS = env.float("ROLLCALL_SEGMENT_SECONDS", default=60.0)
# How much of a camera (RTSP) is recorded into one file, and so before it is processed.
RECORDER_FILE_SECONDS = env.float("ROLLCALL_RECORDER_FILE_SECONDS", default=120.0)
MIN_FACE_PIXELS = env.int("ROLLCALL_MIN_FACE_PIXELS", default=24)
# How many usable photos each student should have.
PHOTOS_PER_STUDENT = env.int("ROLLCALL_PHOTOS_PER_STUDENT", default=5)

# The address of the pages, for links in e-mails. Without it, e-mails have no links.
BASE_URL = env.str("ROLLCALL_BASE_URL", default="").rstrip("/")
# Private networks that webhooks may call, such as 10.20.0.0/16. All others are refused.
WEBHOOK_NETWORKS: list[str] = env.list("ROLLCALL_WEBHOOK_NETWORKS", default=[])
# Private networks in which learning platforms, registry systems and identity providers may be.
CONNECTION_NETWORKS: list[str] = env.list("ROLLCALL_CONNECTION_NETWORKS", default=[])

# Where footage may be fetched from besides public addresses: private networks, where cameras usually are, and folders.
SOURCE_NETWORKS: list[str] = env.list("ROLLCALL_SOURCE_NETWORKS", default=[])
SOURCE_FOLDERS: list[str] = env.list("ROLLCALL_SOURCE_FOLDERS", default=[])

# Limits on uploads and fetched files.
MAX_RECORDING_BYTES = env.int("ROLLCALL_MAX_RECORDING_BYTES", default=64 * 1024**3)
MAX_DOCUMENT_BYTES = 10 * 1024**2  # of an excuse
MAX_PHOTO_BYTES = env.int("ROLLCALL_MAX_PHOTO_BYTES", default=40 * 1024**2)

# Who may read /metrics: programs with this token, and those on these networks, such as 10.0.0.0/8. Nobody by default.
METRICS_TOKEN = env.str("ROLLCALL_METRICS_TOKEN", default="")
METRICS_NETWORKS: list[str] = env.list("ROLLCALL_METRICS_NETWORKS", default=[])
# Encrypts backups; see campus/operations/backup.py.
BACKUP_PASSPHRASE = env.str("ROLLCALL_BACKUP_PASSPHRASE", default="").strip()

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "campus.common.json_logs.JsonFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": env.str("ROLLCALL_LOG_FORMAT", default="line")}
    },
    "root": {"handlers": ["console"], "level": env.str("ROLLCALL_LOG_LEVEL", default="INFO")},
    # It logs whole messages, with what they say of people. What is wrong with one, its exception says.
    "loggers": {"saml2": {"handlers": [], "level": "CRITICAL", "propagate": False}},
}

# Where errors and the times of requests and jobs are sent to, without names: a Sentry, and an OpenTelemetry collector
# (OTLP over HTTP). Nowhere by default.
SENTRY_DSN = env.str("ROLLCALL_SENTRY_DSN", default="")
OTLP_ENDPOINT = env.str("ROLLCALL_OTLP_ENDPOINT", default="").rstrip("/")
if SENTRY_DSN:
    LOGGING["handlers"]["sentry"] = {
        "class": "campus.common.error_reports.SentryHandler",
        "dsn": SENTRY_DSN,
        "release": VERSION,
    }
    LOGGING["root"]["handlers"].append("sentry")
