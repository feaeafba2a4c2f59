"""A document in words: what stands in a room in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from policies.case import Case, PersonId
from policies.documents.document import Action, Document, Serving, Version
from policies.documents.rights import Allowed, Wish, may
from policies.plan import desk_label
from policies.words.phrase import Phrase, phrase, plural, stored, together, verbatim, when
from policies.words.text import one_line

_MEGA, _KILO = 1_000_000, 1_000
_ACTIONS: Mapping[Action, Phrase] = MappingProxyType({Action.VIEW: phrase("view"), Action.DOWNLOAD: phrase("download")})


def title(document: Document, version: Version, *, named: bool = True) -> Phrase:
    """Its number, its name behind quotation marks, and what it is; on one line. Without its name where somebody reads
    who may not see it, or to whose network it does not go."""
    if not named:
        number = number_of(document, version)
        return phrase("{number} (its name does not go to everybody who reads here)", number=number)
    pages = plural("{number} page", "{number} pages", version.pages) if version.pages else ""
    what = together([version.kind.upper(), pages, _size(version.served.size)], by=", ")
    return together([f"{number_of(document, version)} “{one_line(document.name, 100)}” (", what, ")"], by="")


def number_of(document: Document, version: Version) -> str:
    """As people type it."""
    return document.id if version.number == 1 else f"{document.id}.{version.number}"


def card(case: Case, document: Document, version: Version, at: datetime, *, named: bool = True) -> Phrase:
    """Its title, its label, and who may see it now; what was taken out of it, only where it is named."""
    lines: list[Phrase] = [
        title(document, version, named=named),
        phrase(
            "Label: {label}. Who may view it now: {names}.",
            label=version.label,
            names=_names(case, document, version, Action.VIEW, at),
        ),
    ]
    lines += [phrase("Before it was kept: {change}", change=change) for change in version.changes if named]
    if document.exposed:
        seen = people(case, document.exposed)
        lines.append(phrase("Perhaps seen before it was taken out: {names}.", names=seen))
    return together(lines, by="\n")


def details(case: Case, document: Document, version: Version, at: datetime, *, named: bool = True) -> Phrase:
    """The card, and what its owner and the mediators may know besides."""
    return together(
        [
            card(case, document, version, at, named=named),
            phrase("Who may download it now: {names}.", names=_names(case, document, version, Action.DOWNLOAD, at)),
            phrase(
                "From {owner}, {time}; kept in {room}.",
                owner=people(case, frozenset({document.owner})),
                time=when(version.at, case.zone),
                room=desk_label(document.home, case),
            ),
            phrase("SHA-256 of what is shown: {sha256}", sha256=version.served.sha256),
            phrase("SHA-256 of what was sent: {sha256}", sha256=version.original.sha256),
        ],
        by="\n",
    )


def history(case: Case, document: Document) -> Phrase:
    """What happened with it, under a title."""
    title = phrase("{number}: what happened (served is not read):", number=document.id)
    return together([title, *happened(case, document)], by="\n")


def happened(case: Case, document: Document) -> tuple[Phrase, ...]:
    """What was granted, agreed to and served, in the order of time. To be served is not to be read."""
    events = [*_kept(document), *_granted(case, document), *_agreed(case, document), *_served(case, document)]
    in_order = sorted(events, key=lambda event: (event[0], str(event[1])))
    return tuple(together([when(at, case.zone), text], by=": ") for at, text in in_order)


def _kept(document: Document) -> Iterator[tuple[datetime, Phrase]]:
    for v in document.versions:
        kept = phrase("version {version} was kept, SHA-256 {sha256}…", version=v.number, sha256=v.served.sha256[:16])
        yield v.at, kept


def _granted(case: Case, document: Document) -> Iterator[tuple[datetime, Phrase]]:
    for grant in document.grants:
        what = phrase(
            "version {version} to {name} ({action})",
            version=grant.version,
            name=_name(case, grant.person),
            action=_ACTIONS[grant.action],
        )
        until = phrase("until {time}", time=when(grant.expires, case.zone)) if grant.expires else ""
        most = phrase("{opened} of {most} times used", opened=grant.opened, most=grant.most) if grant.most else ""
        given = phrase("{name} gave {what}", name=_name(case, grant.by), what=what)
        yield grant.at, together([given, until, most], by=", ")
        if grant.revoked:
            yield grant.revoked, phrase("taken back: {what}", what=what)


def _agreed(case: Case, document: Document) -> Iterator[tuple[datetime, Phrase]]:
    versions = {version.served.sha256: version.number for version in document.versions}
    for yes in document.consents:
        which = phrase(
            "its owner agreed: version {version} for {name} ({action})",
            version=versions.get(yes.sha256, "?"),
            name=_name(case, yes.person),
            action=_ACTIONS[yes.action],
        )
        yield yes.at, together([which, stored(yes.how)], by=", ")


def _served(case: Case, document: Document) -> Iterator[tuple[datetime, Phrase]]:
    for served in document.servings:
        what = phrase(
            "version {version} served to {name} ({action})",
            version=served.version,
            name=_name(case, served.person),
            action=_ACTIONS[served.action],
        )
        yield served.at, together([what, together([_how(served), _pages(served), _hash(served)], by="")], by=", ")


def people(case: Case, some: frozenset[PersonId]) -> Phrase:
    """Their names, in the order of the case."""
    gone = [phrase("somebody who left")] if any(case.living(one) is None for one in some) else []
    there = (p.name for p in case.voices() if not case.ids_of(p.id).isdisjoint(some))
    return together([*there, *gone], by=", ") or phrase("nobody")


def _names(case: Case, document: Document, version: Version, action: Action, at: datetime) -> Phrase:
    wishes = (Wish(p.id, action, version.number, at) for p in case.people)
    return people(case, frozenset(w.person for w in wishes if isinstance(may(case, document, w), Allowed)))


def _name(case: Case, person: PersonId) -> Phrase:
    return people(case, frozenset({person}))


def _how(served: Serving) -> Phrase:
    """How it was served: a text of ours, and the mark that stands on it."""
    marked = [phrase("marked {mark}", mark=served.mark)] if served.mark else []
    return together([stored(served.how), *marked], by=", ")


def _pages(served: Serving) -> str:
    return f": {', '.join(map(str, sorted(served.pages)))}" if served.pages else ""


def _hash(served: Serving) -> str:
    return f", SHA-256 {served.sha256[:16]}…" if served.sha256 else ""


def _size(size: int) -> Phrase:
    if size >= _MEGA:
        return verbatim(f"{size / _MEGA:.1f} MB")
    return verbatim(f"{size // _KILO} kB") if size >= _KILO else phrase("{size} bytes", size=size)
