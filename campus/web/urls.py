"""The staff's pages. All but the login need a login; all objects come through a selector."""

from django.urls import path

from campus.web.views import account, calendars, classes, documents, media, recordings, results, students

urlpatterns = [
    path("", classes.home, name="home"),
    path("about/", account.about, name="about"),
    path("login/", account.SignIn.as_view(), name="login"),
    path("login/code/", account.sign_in_code, name="login-code"),
    path("logout/", account.SignOut.as_view(), name="logout"),
    path("password/", account.ChangePassword.as_view(), name="password"),
    path("password/reset/", account.ForgottenPassword.as_view(), name="password-reset"),
    path("password/reset/<uidb64>/<token>/", account.NewPassword.as_view(), name="password-reset-confirm"),
    path("account/", account.account, name="account"),
    path("account/code/", account.second_step, name="account-code"),
    path("account/tokens/", account.token_new, name="account-token-new"),
    path("account/tokens/<int:pk>/revoke/", account.token_revoke, name="account-token-revoke"),
    path("classes/<int:pk>/", classes.course, name="course"),
    path("classes/compare/", students.compare, name="compare"),
    path("classes/<int:pk>/register/", documents.register_page, name="register"),
    path("classes/<int:pk>/register/<str:kind>/", documents.register_file, name="register-file"),
    path("lectures/new/", classes.lecture_new, name="lecture-new"),
    path("lectures/<int:pk>/", classes.lecture, name="lecture"),
    path("lectures/<int:pk>/change/", classes.lecture_edit, name="lecture-edit"),
    path("lectures/<int:pk>/attendance/<str:kind>/", documents.lecture_file, name="lecture-file"),
    path("lectures/<int:pk>/upload/", recordings.upload, name="upload"),
    path("recordings/<uuid:pk>/", recordings.recording, name="recording"),
    path("recordings/<uuid:pk>/progress/", recordings.progress_json, name="recording-progress"),
    path("recordings/<uuid:pk>/<str:action>/", recordings.act, name="recording-act"),
    path("records/<int:pk>/", results.record, name="record"),
    path("records/<int:pk>/<str:status>/", results.confirm, name="confirm"),
    path("calendar/", calendars.links, name="calendar-links"),
    path("calendar/<str:key>.ics", calendars.feed, name="calendar"),
    path("students/", students.students, name="students"),
    path("students/<int:pk>/", students.student, name="student"),
    path("reports/<uuid:pk>/", media.report, name="report"),
    path("chips/<int:pk>/<int:n>/", media.chip, name="chip"),
    path("unknown/<int:pk>/<int:n>/", media.unknown_chip, name="unknown-chip"),
    path("photos/<uuid:pk>/", media.photo, name="photo"),
    path("photos/<uuid:pk>/face/", media.photo_face, name="photo-face"),
]
