"""Somebody at a browser, behind the link of a mail: says, with the PIN, that the mailbox is theirs."""

import re
from typing import Final

import aiohttp

LINK: Final = re.compile(r"http\S+/p/[^\s/]+")
_FORM: Final = re.compile(r'<form method="post" action="/p/act">.*?</form>', re.DOTALL)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_OK: Final = 200


async def confirms_mailbox(mail: str, pin: str) -> None:
    """Open the link of a mail with the PIN, confirm, and agree to have words mailed. What follows is seen at the desk:
    it waits its turn like everything that comes in. Raises ConnectionError if the page says no."""
    link = LINK.search(mail)
    if link is None:
        raise ConnectionError("there is no link in the mail")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.post(link[0], data={"pin": pin}) as opened:
            page, status = await opened.text(), opened.status
        form = next((found[0] for found in _FORM.finditer(page) if 'value="enrol"' in found[0]), None)
        if status != _OK or form is None:
            raise ConnectionError(f"the link opens no page to confirm the mailbox on: {status}")
        values = {**dict(_HIDDEN.findall(form)), "words": "yes"}
        async with browser.post(f"{link[0].partition('/p/')[0]}/p/act", data=values) as done:
            if done.status != _OK:
                raise ConnectionError(f"the page does not take it: {done.status}")


def pin_in(answer: str) -> str:
    """The PIN that the desk was shown."""
    found = re.search(r"is (\d{6})", answer)
    if found is None:
        raise ConnectionError("the desk was shown no PIN")
    return found[1]
