"""The staff's pages. All but the login need a login; all objects come through a selector."""

from django.urls import path

from campus.web.views import account, classes, media, recordings, results

urlpatterns = [
    path("", classes.home, name="home"),
    path("about/", account.about, name="about"),
    path("login/", account.SignIn.as_view(), name="login"),
    path("logout/", account.SignOut.as_view(), name="logout"),
    path("password/", account.ChangePassword.as_view(), name="password"),
    path("classes/<int:pk>/", classes.course, name="course"),
    path("classes/<int:pk>/register/", classes.register, name="register"),
    path("lectures/new/", classes.lecture_new, name="lecture-new"),
    path("lectures/<int:pk>/", classes.lecture, name="lecture"),
    path("lectures/<int:pk>/upload/", recordings.upload, name="upload"),
    path("recordings/<uuid:pk>/", recordings.recording, name="recording"),
    path("recordings/<uuid:pk>/progress/", recordings.progress_json, name="recording-progress"),
    path("recordings/<uuid:pk>/<str:action>/", recordings.act, name="recording-act"),
    path("records/<int:pk>/", results.record, name="record"),
    path("records/<int:pk>/<str:status>/", results.confirm, name="confirm"),
    path("reports/<uuid:pk>/", media.report, name="report"),
    path("chips/<int:pk>/<int:n>/", media.chip, name="chip"),
    path("unknown/<int:pk>/<int:n>/", media.unknown_chip, name="unknown-chip"),
    path("photos/<uuid:pk>/", media.photo, name="photo"),
    path("photos/<uuid:pk>/face/", media.photo_face, name="photo-face"),
]
