"""A service loads what its configuration needs: each of these libraries costs 1 to 20 MB for as long as it runs."""

import subprocess
import sys
from pathlib import Path

from appservice.setup import init

_STARTED = """
import sys
from pathlib import Path
from appservice import cli
from appservice.setup import config
cli.wire(config.load(Path(sys.argv[1])))
print(*sys.modules, sep="\\n")
"""
NOT_WANTED = {
    *("sqlalchemy.orm", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql", "asyncpg"),  # SQLite needs none
    *("alembic", "mako"),  # where there is something to migrate
    *("nio", "nio.client", "nio.events", "h2", "jsonschema"),  # of nio there is `nio.api`
    *("Crypto", "cffi"),  # nio's way of encrypting files, with the first one
    *("inscriptis", "lxml"),  # with the first mail of HTML alone
    *("imapclient", "imaplib"),  # where mail is fetched
    *("obstore", "pikepdf", "PIL", "pypdfium2"),  # where there are documents, and most of that in another process
    *("multiprocessing", "unittest", "sandbox"),
}


def loaded_by(folder: Path) -> set[str]:
    """The modules of a service on SQLite that takes mail by LMTP, made ready to start."""
    made = init.create(
        folder,
        init.InitOptions(
            server_name="example.org",
            homeserver_url="http://127.0.0.1:8008",
            mediators=("@mia:example.org",),
            listen_port=29330,
            public_base_url="https://mediatrix.example.org",
            organisation="Example Mediation",
            contact="Paula Example",
            telephone="+49 30 901820",
            agreement=False,
            email=init.EmailOptions(reply_domain="reply.example.org", authserv_id="mx.reply.example.org"),
        ),
    )
    assert folder / "config.yaml" in made.files
    command = [sys.executable, "-c", _STARTED, str(folder / "config.yaml")]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_nothing_is_loaded_for_what_is_not_configured(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path / "service")
    assert loaded & NOT_WANTED == set()
    assert {"nio.api", "sqlalchemy", "aiosmtpd", "vodozemac"} <= loaded
