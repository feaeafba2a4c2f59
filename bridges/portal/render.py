"""The page as HTML: rendered on the server, everything of a person's escaped, nothing fetched from anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from bridges.email.plaintext import tidied
from bridges.portal.ids import form_mark, new_nonce, viewing_mark
from bridges.portal.papers import Paper, Place
from bridges.portal.views import House, View
from catalogue import day, said, tongue
from policies.frozen import frozen
from policies.words.language import Language
from policies.words.phrase import Phrase

if TYPE_CHECKING:
    from bridges.portal.marking import Marked

STYLE: Final = files("bridges.portal").joinpath("style.css").read_text()
_PAGES: Final = Environment(
    loader=PackageLoader("bridges.portal"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_AS_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


@pass_context
def _say(context: Context, english: str, /, **values: object) -> Markup:
    """A text of a template's in the language of the page. What is filled in is escaped, unless it is markup."""
    text = tongue(_language(context)).text(english).translate(_AS_MARKUP)
    return Markup(text).format(**values)  # noqa: S704 (it was escaped)


@pass_context
def _said(context: Context, text: str) -> str:
    return said(text, _language(context))


@pass_context
def _moment(context: Context, at: datetime, zone: str) -> str:
    return day(at, zone, _language(context))


def _language(context: Context) -> Language:
    house: House = context["house"]
    return house.language


_PAGES.globals["say"] = _say
_PAGES.filters["said"] = _said
_PAGES.filters["moment"] = _moment
_PAGES.filters["tidied"] = tidied


def locked_door(house: House, *, problem: Phrase | None = None) -> str:
    """The page that every link shows: a field for the PIN. It does not say whose link it is, or whether it is one."""
    return _PAGES.get_template("door.html").render(house=house, problem=problem)


def rooms(house: House, view: View, session: str, *, done: Phrase | None = None) -> str:
    """What one person sees; before that, once, what they should know and confirm."""
    name = "rooms" if view.is_enrolled else "welcome"
    template = _PAGES.get_template(f"{name}.html")
    house = house.speaking(view.language)
    return template.render(house=house, view=view, mark=form_mark(session), nonce=new_nonce, done=done)


@frozen
class Papers:
    """The documents that one person may look at or download now, where they can hand one in, and whether they have
    rooms on the page, too."""

    own: Sequence[Paper]
    places: Sequence[Place]
    has_rooms: bool = True


def papers(house: House, shown: Papers, session: str, *, done: Phrase | None = None) -> str:
    """The page of documents."""
    template = _PAGES.get_template("papers.html")
    mark = form_mark(session)
    return template.render(
        house=house,
        papers=shown.own,
        places=shown.places,
        has_rooms=shown.has_rooms,
        done=done,
        mark=mark,
        nonce=new_nonce,
    )


def paper(house: House, shown: Paper, number: int, session: str) -> str:
    """One page of a document, and the way to the next."""
    template = _PAGES.get_template("paper.html")
    return template.render(
        house=house, paper=shown, number=number, viewing=viewing_mark(session), mark=form_mark(session), nonce=new_nonce
    )


def marking(house: House, shown: Paper, marked: Marked, session: str, size: tuple[int, int]) -> str:
    """One page of somebody's own document, to mark on it what is to be black."""
    template = _PAGES.get_template("mark.html")
    mark = form_mark(session)
    return template.render(house=house, paper=shown, marked=marked, mark=mark, nonce=new_nonce, size=size)


def pause(house: House) -> str:
    """A button that stops mail; only to follow the link stops nothing, for machines do that."""
    return _PAGES.get_template("pause.html").render(house=house)


def goodbye(house: House, title: Phrase, text: Phrase) -> str:
    """A page that says one thing, after which nothing of the others is left in the browser."""
    return _PAGES.get_template("goodbye.html").render(house=house, title=title, text=text)


def gone(house: House) -> str:
    """A page without a word, on the way elsewhere; what was shown before is not left in the browser."""
    return _PAGES.get_template("gone.html").render(house=house)


def plain(house: House, title: Phrase, text: Phrase) -> str:
    """A page that says one thing."""
    return _PAGES.get_template("plain.html").render(house=house, title=title, text=text)
