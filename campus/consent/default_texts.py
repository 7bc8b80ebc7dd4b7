"""The text that students agree to until the institution publishes its own. `{institution}` stands for its name."""

DEFAULT_TEXTS = {
    "en-gb": """\
{institution} would like to note your attendance by your face.

What for: your face in recordings of your own lectures is compared with photos of you, to note when you were there. It \
is used for nothing else: not for marks, behaviour, attention or mood, and for nobody outside your classes.

What is kept: your photos, a mathematical description of your face that is made from them, and small pictures of your \
face from lectures. They are encrypted. They are deleted when you withdraw your consent, or when they are no longer \
needed. Your consent ends by itself after three years; from then on you are not recognised until you agree again.

Who sees it: the staff who look after your classes.

Your choice: you need not agree, and nothing changes for you if you don't. Your attendance is then noted by a person, \
and counts the same. You can withdraw your consent at any time on this page; what was noted before stays. You can see \
what is kept about you, object to a mark, and complain to the data protection authority.
""",
    "de": """\
{institution} möchte Ihre Anwesenheit anhand Ihres Gesichts festhalten.

Wozu: Ihr Gesicht in Aufnahmen Ihrer eigenen Vorlesungen wird mit Fotos von Ihnen verglichen, um festzuhalten, wann \
Sie da waren. Für nichts anderes wird es verwendet: nicht für Noten, Verhalten, Aufmerksamkeit oder Stimmung, und für \
niemanden außerhalb Ihrer Kurse.

Was gespeichert wird: Ihre Fotos, eine daraus berechnete mathematische Beschreibung Ihres Gesichts und kleine Bilder \
Ihres Gesichts aus Vorlesungen. Alles ist verschlüsselt. Es wird gelöscht, wenn Sie Ihre Einwilligung widerrufen oder \
wenn es nicht mehr gebraucht wird. Ihre Einwilligung endet nach drei Jahren von selbst; von da an werden Sie nicht \
erkannt, bis Sie wieder zustimmen.

Wer es sieht: die Beschäftigten, die Ihre Kurse betreuen.

Ihre Wahl: Sie müssen nicht zustimmen, und es ändert sich für Sie nichts, wenn Sie es nicht tun. Ihre Anwesenheit \
hält dann ein Mensch fest, und sie zählt genauso. Sie können Ihre Einwilligung jederzeit auf dieser Seite widerrufen; \
was vorher festgehalten wurde, bleibt. Sie können sehen, was über Sie gespeichert ist, einem Eintrag widersprechen und \
sich bei der Datenschutzbehörde beschweren.
""",
}
