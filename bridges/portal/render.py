"""The page as HTML: rendered on the server, everything of a person's escaped, nothing fetched from anywhere else."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from bridges.email.plaintext import tidied
from bridges.portal.ids import form_mark, new_nonce, viewing_mark
from bridges.portal.papers import Paper, Place
from bridges.portal.views import House, View
from policies.zones import on_the_clock

STYLE: Final = files("bridges.portal").joinpath("style.css").read_text()
_PAGES: Final = Environment(
    loader=PackageLoader("bridges.portal"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _moment(at: datetime, zone: str) -> str:
    return on_the_clock(at, zone, "{:%d %B %Y, %H:%M}".format)


_PAGES.filters["moment"] = _moment
_PAGES.filters["tidied"] = tidied


def locked_door(house: House, *, problem: str | None = None) -> str:
    """The page that every link shows: a field for the PIN. It does not say whose link it is, or whether it is one."""
    return _PAGES.get_template("en/door.html").render(house=house, problem=problem)


def rooms(house: House, view: View, session: str, *, done: str | None = None) -> str:
    """What one person sees; before that, once, what they should know and confirm."""
    name = "rooms" if view.is_enrolled else "welcome"
    template = _PAGES.get_template(f"en/{name}.html")
    return template.render(house=house, view=view, mark=form_mark(session), nonce=new_nonce, done=done)


def papers(
    house: House,
    own: Sequence[Paper],
    places: Sequence[Place],
    session: str,
    *,
    done: str | None = None,
) -> str:
    """The documents that one person may look at or download now, and where they can hand one in."""
    template = _PAGES.get_template("en/papers.html")
    return template.render(house=house, papers=own, places=places, done=done, mark=form_mark(session), nonce=new_nonce)


def paper(house: House, shown: Paper, number: int, session: str) -> str:
    """One page of a document, and the way to the next."""
    template = _PAGES.get_template("en/paper.html")
    return template.render(
        house=house, paper=shown, number=number, viewing=viewing_mark(session), mark=form_mark(session), nonce=new_nonce
    )


def pause(house: House) -> str:
    """A button that stops mail; only to follow the link stops nothing, for machines do that."""
    return _PAGES.get_template("en/pause.html").render(house=house)


def plain(house: House, title: str, text: str) -> str:
    """A page that says one thing."""
    return _PAGES.get_template("en/plain.html").render(house=house, title=title, text=text)
