"""Words that their author agreed to show, on their way to their readers: into the room, and over each bridge."""

from __future__ import annotations

from policies.case import Case
from policies.effects import Publish
from policies.people.membership import bridged_readers, readers
from policies.people.ways import not_agreed
from policies.releases.release import Release
from policies.words.phrase import Phrase


def publications(case: Case, release: Release, title: Phrase) -> tuple[Publish, ...]:
    """One into the room, and one to each bridged reader but their author; `title` is ours, and says whose they are."""
    audience, hold = readers(case, release.to), release.of_hold
    # A yes is about these words as they go: it holds for the ways that were shown, and nothing else does.
    over = not_agreed(case, release.author, release.to, audience) if release.agreed else frozenset()
    bridged = sorted(p.id for p in bridged_readers(case, release.to) if not case.same_voice(p.id, release.author))
    # What stands in Matrix already, goes to the others alone.
    to = (*bridged,) if hold and hold.stands else (None, *bridged)
    return tuple(Publish(release.id, release.to, title, release.words, audience, reader, over) for reader in to)
