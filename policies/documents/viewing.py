"""Looking at a document page by page: opened once, and asked again for each page (D4, D7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from policies.case import Case, PersonId
from policies.documents.document import Action, Document, Serving, Version
from policies.documents.rights import Allowed, Denied, Verdict, Wish, may, served
from policies.words.phrase import phrase

_HOW: Final = phrase("as pictures of pages")
LOOKING_LASTS = timedelta(minutes=30)
"""After an opening; who looks longer opens it again."""


def visible(case: Case, person: PersonId, at: datetime) -> tuple[tuple[Document, Version], ...]:
    """Of each document the newest version that somebody may look at now."""
    shown = []
    for document in case.documents:
        for version in reversed(document.versions):
            if isinstance(may(case, document, Wish(person, Action.VIEW, version.number, at)), Allowed):
                shown.append((document, version))
                break
    return tuple(shown)


def opened(case: Case, document: Document, wish: Wish, mark: str) -> Document | Denied:
    """The document with an opening written down and counted; or why it may not be looked at.

    `mark` stands on every page and is the session's: to open again what is still open is no opening of its own.
    """
    if _opening(document, wish, mark) and not isinstance(_still_may(case, document, wish), Denied):
        return document
    return served(case, document, wish, _HOW, mark=mark)


def page_shown(case: Case, document: Document, wish: Wish, mark: str, page: int) -> Document | Denied:
    """The document with that page of an opening written down, before it leaves; or why it may not leave."""
    opening = _opening(document, wish, mark)
    version = document.version(wish.version)
    if opening is None or version is None or not 1 <= page <= (version.pages or 0):
        return Denied("it is not open at that page")
    verdict = _still_may(case, document, wish)
    if isinstance(verdict, Denied):
        return verdict
    if page in opening.pages:
        return document
    shown = replace(opening, pages=(*opening.pages, page))
    return replace(document, servings=tuple(shown if one is opening else one for one in document.servings))


def _opening(document: Document, wish: Wish, mark: str) -> Serving | None:
    theirs = (
        one
        for one in reversed(document.servings)
        if (one.person, one.version, one.action) == (wish.person, wish.version, wish.action)
    )
    return next((one for one in theirs if one.mark == mark and wish.at < one.at + LOOKING_LASTS), None)


def _still_may(case: Case, document: Document, wish: Wish) -> Verdict:
    """As `may`, but that this opening itself used up a grant does not end it."""
    grants = tuple(
        replace(grant, opened=grant.opened - 1)
        if grant.version == wish.version and case.same_voice(grant.person, wish.person) and grant.opened
        else grant
        for grant in document.grants
    )
    return may(case, replace(document, grants=grants), wish)
