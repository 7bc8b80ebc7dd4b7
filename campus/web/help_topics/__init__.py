"""What the question mark of each page says: two sentences and a drawing, from `templates/web/help/`.

A new page needs a topic, or the name of its view in the topic of the page that it belongs to.
"""

from campus.web.help_topics.account import ACCOUNT
from campus.web.help_topics.admin import ADMIN as ADMIN_CHAPTER
from campus.web.help_topics.classes import CLASSES
from campus.web.help_topics.every_day import EVERY_DAY
from campus.web.help_topics.lectures import LECTURES
from campus.web.help_topics.topic import HelpTopic

__all__ = ["ADMIN_CHAPTER", "CHAPTERS", "TOPICS", "HelpTopic", "find_topic"]

CHAPTERS = (EVERY_DAY, LECTURES, CLASSES, ACCOUNT)
TOPICS = {view: topic for chapter in (*CHAPTERS, ADMIN_CHAPTER) for topic in chapter.topics for view in topic.views}


def find_topic(view: str) -> HelpTopic | None:
    """The topic of the page with this view's name; in the admin, of all pages about a kind of row."""
    while view and view not in TOPICS:
        view = view.rpartition("_")[0]
    return TOPICS.get(view)
