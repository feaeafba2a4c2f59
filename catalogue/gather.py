"""Bring the files of the catalogue up to date with the texts that stand in the code: `python -m catalogue.gather`.

What is new stands there without a translation, and `tests/catalogue` fails until it has one; what is used no more goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from catalogue import entries
from policies.words.language import Language

ROOT: Final = Path(__file__).parent.parent
_PACKAGES: Final = ("policies", "rooms", "bridges", "appservice")
_WAYS: Final[Sequence[tuple[str, str, Mapping[str, tuple[int, ...] | None]]]] = (
    ("**.py", "python", {"phrase": None, "plural": (1, 2)}),
    ("**/templates/**", "jinja2", {"say": None}),
)
"""Which files, how they are read, and what a text stands in there."""
_WIDTH: Final = 118


def texts() -> Iterator[str | tuple[str, ...]]:
    """Every text that the code says to parties; for plurals, that of one thing and that of many."""
    for package, (files, method, keywords) in product(_PACKAGES, _WAYS):
        for _, _, text, _, _ in extract_from_dir(ROOT / package, [(files, method)], {}, keywords):
            yield text if isinstance(text, str) else tuple(text)


def translated() -> Iterator[Language]:
    """The languages that have a file."""
    return (language for language in Language if language is not Language.ENGLISH)


def gathered(language: Language) -> Catalog:
    """The file of a language as it should be: each text of the code, with what stood for it before."""
    before = entries(language)
    made = Catalog(locale=str(language), project="Mediatrix", fuzzy=False, charset="utf-8")
    for text in texts():
        known = before.get(text)
        empty = "" if isinstance(text, str) else ("",) * made.num_plurals
        made.add(text, known.string if known else empty)
    return made


def main() -> None:
    """Write the files."""
    for language in translated():
        made = gathered(language)  # before the file is opened, which empties it
        with (ROOT / "catalogue" / f"{language}.po").open("wb") as file:
            write_po(file, made, width=_WIDTH, sort_output=True, omit_header=True)


if __name__ == "__main__":
    main()
