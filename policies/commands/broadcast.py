"""One message of the mediators to every side, each in its own private room: never a group, and seen before it goes."""

from __future__ import annotations

from policies.case import DESK, Case, PersonId
from policies.commands.form import Form
from policies.effects import Announce, Effect, Inform, Tell
from policies.frozen import frozen
from policies.moderation.course import private_rooms
from policies.moderation.guard import echoes
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.membership import bridged_readers
from policies.plan import desk_label
from policies.questions.ask import Broadcasting
from policies.questions.asking import put
from policies.status import reader_names
from policies.words.phrase import phrase, together
from policies.words.text import clean, marked

_EXAMPLE = "!broadcast: We meet on 3 May at ten"


@frozen
class Broadcast:
    """Send words to each side separately."""

    words: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Shows at the desk what goes where, and asks; the organisation isn't asked."""
        words, rooms = clean(self.words).strip(), private_rooms(case)
        if not words:
            return Refused("There are no words to send", f"For example: {_EXAMPLE}")
        if not rooms:
            return Refused("No private room can be written to now", "!status shows where the case stands")
        if facts.by is None:
            return sent(case, words, None)
        case, ask, alarm = put(case, Broadcasting(words), facts.by, DESK, facts)
        seen_before = echoes(words, facts.elsewhere, frozenset())
        warning = f"CAREFUL: this stands in a private room: {', '.join(f'“{w}”' for w in seen_before)}."
        lines = [
            "To each side separately:",
            *marked(words),
            *(f"{desk_label(room, case)}: {reader_names(case, room)}" for room in rooms),
            *([warning] if seen_before else []),
            f"Say “yes {ask.code}” within 15 minutes, and it is sent.",
        ]
        # Not as the answer, which goes on record: these are somebody's words.
        return Done(case, "", (Tell(DESK, "\n".join(lines)), alarm))


def sent(case: Case, words: str, by: PersonId | None) -> Done:
    """Into each private room, and to each bridged reader of it, as if there were no other."""
    author = case.person(by) if by else None
    who = author.name if author else phrase("The organisation")
    text = together([phrase("{name} writes to each side:", name=who), *marked(words)], by="\n")
    rooms = private_rooms(case)
    effects: list[Effect] = []
    for room in rooms:
        effects.append(Announce(room, text))
        effects += [Inform(person.id, room, text) for person in bridged_readers(case, room)]
    where = ", ".join(desk_label(room, case) for room in rooms)
    return Done(case, f"Sent to each side separately: {where}.", tuple(effects))


FORMS: tuple[Form[Broadcast], ...] = (
    Form(
        "broadcast",
        "!broadcast: WORDS",
        "one message to every side, each in its private room, after you have seen it",
        _EXAMPLE,
        lambda words: Broadcast(" ".join(words).removeprefix(":")),
    ),
)
