"""The command `mediatrix`: what an administrator does at a terminal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp

from appservice import casefile, logs, memory
from appservice.backups.file import BackupError
from appservice.backups.restore import adopt, restore
from appservice.backups.take import KEYS_NAME, take
from appservice.crypto.sealing import Sealer
from appservice.main import wire
from appservice.matrix.errors import MatrixError
from appservice.setup import channels, config, init
from appservice.setup.mistakes import ConfigError
from appservice.setup.probe import Finding, Verdict, check
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import StorageError
from appservice.storage.resealing import reseal
from appservice.upkeep.auditing import verify
from appservice.upkeep.epoch import OlderDatabase
from appservice.upkeep.status import of_database
from bridges.email.server import PortTakenError
from policies.people.identity import grouped
from rooms.homeserver import Trouble

USAGE_ERROR, FAILED = 2, 1


class ServiceAway(OSError):
    """The service that should run under this configuration doesn't answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Mistakes are said in words, on standard error."""
    parsed = _parser().parse_args(arguments)
    act: Callable[[argparse.Namespace], int] = parsed.act
    try:
        return act(parsed)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except (BackupError, OlderDatabase, StorageError, PortTakenError, MatrixError, Trouble, OSError) as error:
        print(f"mediatrix: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("mediatrix", description="Encrypted mediation rooms on your own homeserver.")
    parser.add_argument("--version", action="version", version=f"mediatrix {version('mediatrix')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="start the service")
    _with_config(run, _run)

    new = commands.add_parser("init", help="make config.yaml, registration.yaml and secrets for a new installation")
    new.add_argument("folder", type=Path)
    new.add_argument("--server-name", required=True, help="what stands after the colon of user ids")
    new.add_argument("--homeserver-url", default="http://127.0.0.1:8008")
    new.add_argument("--mediator", action="append", default=[], metavar="@USER:SERVER")
    new.add_argument("--port", type=int, default=config.DEFAULT_PORT, help="where the service listens")
    new.add_argument("--public-base-url", default=init.CHANGE_ME)
    new.add_argument("--organisation", default=init.CHANGE_ME)
    new.add_argument("--contact", default=init.CHANGE_ME)
    new.add_argument("--telephone", default=init.CHANGE_ME)
    new.add_argument("--no-agreement", action="store_true", help="no agreement to mediate has to be accepted")
    new.add_argument("--reply-domain", help="turns the mail bridge on: the domain of reply addresses")
    new.add_argument("--authserv-id", help="the name under which your mail server states what it verified")
    new.add_argument("--lmtp-port", type=int, default=channels.DEFAULT_LMTP_PORT)
    new.add_argument("--smtp-port", type=int, default=25)
    new.set_defaults(act=_init)

    _backup_commands(commands)

    checks = commands.add_parser("config", help="check the configuration").add_subparsers(required=True)
    _with_config(checks.add_parser("check", help="say what is wrong, with its path"), _check_config)

    probes = commands.add_parser("registration", help="check the homeserver").add_subparsers(required=True)
    _with_config(probes.add_parser("check", help="find by trying what the homeserver lacks"), _check_registration)

    _with_config(commands.add_parser("status", help="say what is wrong, and what to do"), _status)

    cases = commands.add_parser("case", help="open and look at cases").add_subparsers(required=True)
    create = _with_config(cases.add_parser("create", help="open a case from a file"), _create_case)
    create.add_argument("file", type=Path)
    _with_config(cases.add_parser("list", help="all cases"), _list_cases)
    tell = _with_config(cases.add_parser("command", help="give a desk command"), _command)
    tell.add_argument("case")
    tell.add_argument("text", help="like '!status'")

    trust = commands.add_parser("trust", help="verification of the bot by emoji").add_subparsers(required=True)
    _with_config(trust.add_parser("show", help="who the bot is, and emoji to compare with somebody's"), _show_trust)
    for word, same in (("same", True), ("different", False)):
        judge = _with_config(trust.add_parser(word, help=f"their client shows {word} emoji"), _judge_verification)
        judge.add_argument("code", help="the word before the emoji")
        judge.set_defaults(same=same)

    demo = commands.add_parser("demo", help="a whole mediation on this machine, with a page to play in")
    demo.add_argument("--script", action="store_true", help="play the story unattended and print it")
    demo.add_argument("--port", type=int, default=29300, help="where the page is; the servers take the ports above it")
    demo.add_argument("--folder", type=Path, default=Path("var/demo"), help="where everything is kept")
    demo.set_defaults(act=_demo)
    return parser


def _with_config(parser: argparse.ArgumentParser, act: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), help="the path of config.yaml")
    parser.set_defaults(act=act)
    return parser


def _backup_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    backup = _with_config(commands.add_parser("backup", help="back the database up, while the service runs"), _backup)
    backup.add_argument("file", type=Path, help="the backup to make")
    _with_keys(backup)
    back = _with_config(commands.add_parser("restore", help="fill an empty database from a backup"), _restore)
    back.add_argument("file", type=Path, help="the backup")
    _with_keys(back)
    adopted = commands.add_parser(
        "adopt", help="make the configured database count, though it is a copy that was put back, or a new one"
    )
    _with_config(adopted, _adopt)

    audits = commands.add_parser("audit", help="the record of what was done").add_subparsers(required=True)
    verify = _with_config(audits.add_parser("verify", help="say whether anything was changed, or is missing"), _audit)
    verify.add_argument("--heads", type=Path, help="a file with heads that were posted to desks, copied as they are")

    keys = commands.add_parser("keys", help="master keys").add_subparsers(required=True)
    _with_config(keys.add_parser("rotate", help="seal everything anew under secrets.master_key"), _rotate)


def _with_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keys", type=Path, help=f"the file of case keys; default {KEYS_NAME} beside the backup, replaced each time"
    )


# --- the service --------------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace) -> int:
    loaded = config.load(arguments.config)
    logs.configure(loaded.logging.level.value.upper(), loaded.logging.format)
    service = wire(loaded)
    memory.spare()
    return asyncio.run(_until_stopped(service.run(lambda: print("mediatrix: ready", flush=True))))


async def _until_stopped(work: Coroutine[object, object, None]) -> int:
    """Run until it ends, or until SIGINT or SIGTERM ends it in order."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return 0


# --- setting up ---------------------------------------------------------------------------------------------------


def _init(arguments: argparse.Namespace) -> int:
    email = None
    if arguments.reply_domain:
        email = init.EmailOptions(
            reply_domain=arguments.reply_domain,
            authserv_id=arguments.authserv_id or f"mx.{arguments.reply_domain}",
            lmtp_port=arguments.lmtp_port,
            smtp_port=arguments.smtp_port,
        )
    made = init.create(
        arguments.folder,
        init.InitOptions(
            server_name=arguments.server_name,
            homeserver_url=arguments.homeserver_url,
            mediators=tuple(arguments.mediator),
            listen_port=arguments.port,
            public_base_url=arguments.public_base_url,
            organisation=arguments.organisation,
            contact=arguments.contact,
            telephone=arguments.telephone,
            agreement=not arguments.no_agreement,
            email=email,
        ),
    )
    print("Made:", *(f"  {file}" for file in made.files), sep="\n")
    print("\nFor homeserver.yaml:\n", made.homeserver_settings, sep="\n")
    print("What to do next:", *(f"  {n}. {step}" for n, step in enumerate(made.next_steps, 1)), sep="\n")
    return 0


def _check_config(arguments: argparse.Namespace) -> int:
    config.load(arguments.config)
    print(f"{arguments.config}: good")
    return 0


def _check_registration(arguments: argparse.Namespace) -> int:
    """Through the running service if there is one: only it can tell whether messages arrive."""
    loaded = config.load(arguments.config)
    try:
        found = [Finding(**each) for each in _ask(arguments, "GET", "/v1/check")["findings"]]
    except ServiceAway:
        found = list(asyncio.run(check(loaded, None)))
    return _say(found)


def _status(arguments: argparse.Namespace) -> int:
    """Through the running service if there is one; else what its database tells."""
    loaded = config.load(arguments.config)
    try:
        found = [Finding(**each) for each in _ask(arguments, "GET", "/v1/status")["findings"]]
    except ServiceAway as away:
        service = Finding("service", Verdict.BROKEN, str(away), "its log says why it stopped")
        database = SqlDatabase(loaded.database.url.get_secret_value(), Sealer(loaded.secrets.masters))
        found = [service, *asyncio.run(_looked_at(database))]
    return _say(found)


async def _looked_at(database: SqlDatabase) -> tuple[Finding, ...]:
    try:
        await database.open_to_look()
        return await of_database(database)
    except StorageError as error:
        return (Finding("database", Verdict.BROKEN, str(error), "is it running, and is database.url right?"),)
    finally:
        await database.close()


def _say(found: Sequence[Finding]) -> int:
    """Print them; the exit code tells whether anything is broken."""
    for finding in found:
        remedy = f"\n         {finding.remedy}" if finding.remedy else ""
        print(f"{Verdict(finding.verdict).value:>7}  {finding.setting}: {finding.seen}{remedy}")
    return FAILED if any(finding.verdict == Verdict.BROKEN for finding in found) else 0


# --- backups ------------------------------------------------------------------------------------------------------


def _backup(arguments: argparse.Namespace) -> int:
    loaded = config.load(arguments.config)
    keys = arguments.keys or arguments.file.with_name(KEYS_NAME)
    url = loaded.database.url.get_secret_value()
    taken = asyncio.run(take(url, Sealer(loaded.secrets.masters), arguments.file, keys, datetime.now(UTC)))
    print(f"{arguments.file}: {taken.cases} cases, {taken.rows} rows")
    print(f"{keys}: their keys, which the backup is nothing without. Keep it apart, and only this newest one.")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    loaded = config.load(arguments.config)
    keys = arguments.keys or arguments.file.with_name(KEYS_NAME)
    url = loaded.database.url.get_secret_value()
    restored = asyncio.run(restore(url, Sealer(loaded.secrets.masters), arguments.file, keys, datetime.now(UTC)))
    print(f"Restored {restored.cases} cases as they were at {restored.taken_at:%Y-%m-%d %H:%M} UTC.")
    if restored.erased:
        print(f"Their keys were destroyed, so they stay destroyed: {', '.join(sorted(restored.erased))}.")
    print("Start the service now. Every desk is told what to check; nothing is sent again by itself.")
    return 0


def _adopt(arguments: argparse.Namespace) -> int:
    loaded = config.load(arguments.config)
    url = loaded.database.url.get_secret_value()
    epoch = asyncio.run(adopt(url, Sealer(loaded.secrets.masters), datetime.now(UTC)))
    print(
        f"This database begins epoch {epoch.number}, as if restored from a backup of {epoch.backup_at:%Y-%m-%d %H:%M}."
    )
    print("Start the service now. Any other database of this homeserver is refused from then on.")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    loaded = config.load(arguments.config)
    kept = arguments.heads.read_text() if arguments.heads else ""
    audit = asyncio.run(verify(loaded.database.url.get_secret_value(), Sealer(loaded.secrets.masters), kept))
    for fault in audit.faults:
        print(fault)
    print(f"{audit.entries} entries of {audit.cases} cases: {'NOT in order' if audit.faults else 'in order'}.")
    if audit.erased:
        print(f"{audit.erased} of them are of cases whose keys were destroyed: they are there, and can't be read.")
    if not arguments.heads:
        print("That nothing was cut off at the end, only heads show that left the machine: --heads FILE.")
    return 1 if audit.faults else 0


def _rotate(arguments: argparse.Namespace) -> int:
    loaded = config.load(arguments.config)
    asyncio.run(_resealed(loaded.database.url.get_secret_value(), Sealer(loaded.secrets.masters)))
    print("Everything is sealed under secrets.master_key. Now make a new backup: the older ones need the former key.")
    print("Then take old_master_keys out of config.yaml, restart the service, and destroy the former key.")
    return 0


async def _resealed(url: str, sealer: Sealer) -> None:
    async for progress in reseal(url, sealer):
        if progress.renewed:
            print(f"{progress.column}: {progress.renewed} of {progress.seen} sealed anew")


# --- cases, through the running service -----------------------------------------------------------------------------


def _create_case(arguments: argparse.Namespace) -> int:
    case = casefile.load(arguments.file)
    answer = _ask(arguments, "POST", "/v1/cases", case.model_dump(mode="json", exclude_none=True))
    print(answer["status"])
    return 0


def _list_cases(arguments: argparse.Namespace) -> int:
    for case in _ask(arguments, "GET", "/v1/cases")["cases"]:
        print(f"{case['id']}  {case['phase']:<12} {case['title']}")
    return 0


def _command(arguments: argparse.Namespace) -> int:
    print(_ask(arguments, "POST", f"/v1/cases/{arguments.case}/commands", {"command": arguments.text})["answer"])
    return 0


def _show_trust(arguments: argparse.Namespace) -> int:
    found = _ask(arguments, "GET", "/v1/trust")
    print(f"The bot's identity: {grouped(found['master_key'])}")
    print(f"Its device: {found['device_id']}, {grouped(found['device_key'])}")
    if found["waiting"]:
        print("\nCompare side by side or by telephone, never in Matrix; then: mediatrix trust same|different CODE")
    for one in found["waiting"]:
        print(
            f"\n{one['code']}  {one['user']}, since {one['since']}",
            "   ".join(one["emoji"]),
            one["numbers"],
            sep="\n  ",
        )
    return 0


def _judge_verification(arguments: argparse.Namespace) -> int:
    print(_ask(arguments, "POST", "/v1/trust", {"code": arguments.code, "same": arguments.same})["answer"])
    return 0


def _ask(arguments: argparse.Namespace, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Call the provisioning API of the service that runs under this configuration."""
    loaded = config.load(arguments.config)
    listen = loaded.appservice.listen
    headers = {
        "Authorization": f"Bearer {loaded.secrets.provisioning_token.get_secret_value()}",
        "Idempotency-Key": secrets.token_urlsafe(16),
    }
    url = f"http://{listen.host}:{listen.port}{path}"
    return asyncio.run(_asked(method, url, headers, body))


async def _asked(method: str, url: str, headers: Mapping[str, str], body: object) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers, json=body) as answer,
        ):
            found: dict[str, Any] = await answer.json()
    except aiohttp.ClientConnectionError:
        raise ServiceAway(f"the service does not answer at {url}; start it: mediatrix run") from None
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise OSError(found["error"])
    return found


def _demo(arguments: argparse.Namespace) -> int:
    # Test equipment, which a production installation may not have.
    from sandbox import demo

    return demo.main(arguments.folder, arguments.port, script=arguments.script)


if __name__ == "__main__":
    sys.exit(main())
