"""Help for one's own account, and students' own pages."""

from django.utils.translation import gettext_lazy as _

from campus.web.help_topics.topic import HelpChapter, HelpTopic

ACCOUNT = HelpChapter(
    _("Your account"),
    (
        HelpTopic(
            views=("account", "token-create"),
            title=_("Account"),
            text=_(
                "Here are your language, your two-factor login, where you are logged in, and tokens for programs. "
                "If a login is not yours, change the password: it logs everybody else out."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("password", "password-reset-confirm"),
            title=_("New password"),
            text=_(
                "A long password of several words is easy to remember and hard to guess. "
                "A new one logs you out everywhere else, and ends API tokens and calendar links."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("password-reset",),
            title=_("Forgotten password"),
            text=_(
                "If an account has the address that you enter, an e-mail with a link goes there. "
                "The link is valid for one hour; without one, ask your registrar which address you have."
            ),
            picture="mail",
        ),
        HelpTopic(
            views=("two-factor", "recovery-codes"),
            title=_("Two-factor login"),
            text=_(
                "With it, you enter a code from an app on your phone after the password. "
                "Keep the recovery codes on paper: each lets you in once, without the phone."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("confirm-login",),
            title=_("Confirm that it is you"),
            text=_(
                "Changes of accounts and exports ask for your password again if the login is not recent. "
                "So nobody can make them at a computer that you left open."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("login", "login-code", "sign-in", "sign-in-callback"),
            title=_("Log in"),
            text=_(
                "Log in with your e-mail address or user name; a forgotten password is replaced by e-mail. "
                "If you lost your phone, a recovery code takes the place of its code."
            ),
            picture="lock",
        ),
        HelpTopic(
            views=("invitation",),
            title=_("Invitation"),
            text=_(
                "Choose a password, and your account opens. "
                "The link works once and for seven days; whoever invited you can send a new one."
            ),
            picture="mail",
        ),
        HelpTopic(
            views=("my-data", "my-link"),
            title=_("Your page"),
            text=_(
                "Here you say whether your face may be recognised, and change that at any time. You see each of "
                "your marks, and can object to it."
            ),
            picture="photos",
        ),
        HelpTopic(
            views=("message-choice",),
            title=_("Messages about attendance"),
            text=_(
                "Here you confirm that messages may go to your address, or end them. "
                "Nobody has to agree, and nothing else depends on it."
            ),
            picture="mail",
        ),
        HelpTopic(
            views=("about",),
            title=_("About"),
            text=_(
                "Rollcall takes attendance from recordings, by the faces of the students of a class. "
                "Tell the version when you report a fault."
            ),
            picture="people",
        ),
    ),
)
