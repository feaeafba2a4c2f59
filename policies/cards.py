"""A document in words: what stands in a room in its place."""

from __future__ import annotations

from datetime import datetime

from policies.case import Case, PersonId
from policies.document import Action, Document, Serving, Version
from policies.documents import Allowed, Wish, may
from policies.plan import desk_label
from policies.text import moment, one_line

_MEGA, _KILO = 1_000_000, 1_000


def title(document: Document, version: Version, *, named: bool = True) -> str:
    """Its number, its name behind quotation marks, and what it is; on one line. Without its name where somebody reads
    who may not see it."""
    if not named:
        return f"{number_of(document, version)} (not everybody who reads here may know its name)"
    pages = f", {version.pages} page{'' if version.pages == 1 else 's'}" if version.pages else ""
    what = f"{version.kind.upper()}{pages}, {_size(version.served.size)}"
    return f"{number_of(document, version)} “{one_line(document.name, 100)}” ({what})"


def number_of(document: Document, version: Version) -> str:
    """As people type it."""
    return document.id if version.number == 1 else f"{document.id}.{version.number}"


def card(case: Case, document: Document, version: Version, at: datetime, *, named: bool = True) -> str:
    """Its title, its label, and who may see it now; what was taken out of it, only where it is named."""
    lines = [
        title(document, version, named=named),
        f"Label: {version.label}. Who may view it now: {_names(case, document, version, Action.VIEW, at)}.",
    ]
    lines += [f"Before it was kept: {change}" for change in version.changes if named]
    if document.exposed:
        lines.append(f"Perhaps seen before it was taken out: {people(case, document.exposed)}.")
    return "\n".join(lines)


def details(case: Case, document: Document, version: Version, at: datetime, *, named: bool = True) -> str:
    """The card, and what its owner and the mediators may know besides."""
    owner = people(case, frozenset({document.owner}))
    return "\n".join(
        [
            card(case, document, version, at, named=named),
            f"Who may download it now: {_names(case, document, version, Action.DOWNLOAD, at)}.",
            f"From {owner}, {moment(version.at, case.zone)}; kept in {desk_label(document.home, case)}.",
            f"SHA-256 of what is shown: {version.served.sha256}",
            f"SHA-256 of what was sent: {version.original.sha256}",
        ]
    )


def history(case: Case, document: Document) -> str:
    """What was granted, agreed to and served, in the order of time. To be served is not to be read."""
    versions = {version.served.sha256: version.number for version in document.versions}
    events = [(v.at, f"version {v.number} was kept, SHA-256 {v.served.sha256[:16]}…") for v in document.versions]
    for grant in document.grants:
        what = f"version {grant.version} to {_name(case, grant.person)} ({grant.action})"
        until = f", until {moment(grant.expires, case.zone)}" if grant.expires else ""
        most = f", {grant.opened} of {grant.most} times used" if grant.most else ""
        events.append((grant.at, f"{_name(case, grant.by)} gave {what}{until}{most}"))
        if grant.revoked:
            events.append((grant.revoked, f"taken back: {what}"))
    for yes in document.consents:
        which = f"version {versions.get(yes.sha256, '?')} for {_name(case, yes.person)} ({yes.action})"
        events.append((yes.at, f"its owner agreed: {which}, {yes.how}"))
    for served in document.servings:
        what = f"version {served.version} served to {_name(case, served.person)} ({served.action})"
        events.append((served.at, f"{what}, {served.how}{_pages(served)}{_hash(served)}"))
    lines = [f"{moment(at, case.zone)}: {text}" for at, text in sorted(events)]
    return "\n".join([f"{document.id}: what happened (served is not read):", *lines])


def people(case: Case, some: frozenset[PersonId]) -> str:
    """Their names, in the order of the case."""
    gone = ["somebody who left"] if any(case.person(one) is None for one in some) else []
    return ", ".join([*(p.name for p in case.people if p.id in some), *gone]) or "nobody"


def _names(case: Case, document: Document, version: Version, action: Action, at: datetime) -> str:
    wishes = (Wish(p.id, action, version.number, at) for p in case.people)
    return people(case, frozenset(w.person for w in wishes if isinstance(may(case, document, w), Allowed)))


def _name(case: Case, person: PersonId) -> str:
    return people(case, frozenset({person}))


def _pages(served: Serving) -> str:
    return f": {', '.join(map(str, sorted(served.pages)))}" if served.pages else ""


def _hash(served: Serving) -> str:
    return f", SHA-256 {served.sha256[:16]}…" if served.sha256 else ""


def _size(size: int) -> str:
    if size >= _MEGA:
        return f"{size / _MEGA:.1f} MB"
    return f"{size // _KILO} kB" if size >= _KILO else f"{size} bytes"
