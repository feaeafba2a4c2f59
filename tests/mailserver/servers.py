"""A private Postfix, Dovecot and rspamd, with the very configuration that deploy/ offers; root, and Debian's packages.

a person's provider ──SMTP──▶ Postfix ──milter── rspamd (its DNS is a list)
                              Postfix ──LMTP──▶ Mediatrix, for reply.example.org
                              Postfix ──LMTP──▶ Dovecot, for the mailboxes of people; a report for whom it has not
                              Postfix ──▶ one mailbox for all of answers.example.org ──Dovecot, IMAP──▶ Mediatrix
"""

import grp
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from sandbox.ports import free_port

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = ("postfix", "dovecot", "rspamd")
MAILBOXES = ("carl@example.net", "dora@example.com", "bea@example.net", "carl@example.org")
FETCHED = "answers.example.org"
"""A domain of ours whose mail is fetched from a mailbox."""
OUTSIDE = "203.0.113.7"
PATIENCE = 120.0
_LATER = 450
_QUIET = (
    "asn", "fuzzy_check", "greylist", "hfilter", "history_redis", "mx_check", "neural", "once_received", "phishing",
    "ratelimit", "rbl", "replies", "reputation", "rspamd_update", "surbl", "url_redirector", "whitelist",
)  # fmt: skip
"""Modules that would ask the internet, or judge words; none of them matters here."""


@dataclass
class MailHost:
    """The running mail server. `ours`: the port at which Mediatrix takes mail; `imap`: that at which it fetches it."""

    folder: Path
    smtp: int
    ours: int
    imap: int

    def send(self, envelope_from: str, recipients: list[str], raw: bytes, *, client: str = OUTSIDE) -> dict[str, int]:
        """Hand in a mail from the network address `client`; the answer to each recipient that was refused.

        Who is told to try again later does so, as every mail server does: Postfix says it while it asks the service
        whether it knows an address, and a slow machine takes longer to answer than Postfix waits.
        """
        deadline = time.monotonic() + PATIENCE
        refused: dict[str, int] = {}
        waiting = recipients
        while waiting:
            answers = self._offer(envelope_from, waiting, raw, client)
            waiting = [address for address, code in answers.items() if code == _LATER and time.monotonic() < deadline]
            refused.update((address, code) for address, code in answers.items() if address not in waiting)
        return refused

    def _offer(self, envelope_from: str, recipients: list[str], raw: bytes, client: str) -> dict[str, int]:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=PATIENCE) as smtp:
            smtp.ehlo("outside.example.net")
            code, answer = smtp.docmd(f"XCLIENT ADDR={client} NAME=[UNAVAILABLE]")
            assert code == 220, answer
            smtp.ehlo("outside.example.net")
            try:
                refused = smtp.sendmail(envelope_from, recipients, raw)
            except smtplib.SMTPRecipientsRefused as error:
                refused = error.recipients
        return {address: code for address, (code, _) in refused.items()}

    def mailbox(self, address: str) -> list[EmailMessage]:
        """What somebody got, oldest first."""
        files = sorted(
            (self.folder / "mail" / address / "Maildir" / "new").glob("*"), key=lambda f: f.stat().st_mtime_ns
        )
        found = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
        return [message for message in found if isinstance(message, EmailMessage)]

    def flush(self) -> None:
        """Try at once whatever waits."""
        _run("postqueue", "-c", str(self.folder / "postfix"), "-f")

    def queue(self) -> str:
        """What waits in Postfix."""
        return _run("postqueue", "-c", str(self.folder / "postfix"), "-p")

    def log(self) -> str:
        """What Postfix has to say."""
        file = self.folder / "postfix.log"
        return file.read_text() if file.exists() else ""


@contextmanager
def running(folder: Path, names: Mapping[str, str]) -> Iterator[MailHost]:
    """Start all three; `names` are the TXT records of the world's DNS."""
    folder.chmod(0o755)  # Postfix and the others go in as users of their own
    host = MailHost(folder, free_port(), free_port(), free_port())
    milter, boxes = free_port(), free_port()
    rspamd = _rspamd(folder, milter, names)
    dovecot = _dovecot(folder, boxes, host.imap)
    try:
        until_open(milter)
        until_open(boxes)
        _postfix(folder, host, milter, boxes)
        until_open(host.smtp)
        yield host
    finally:
        with open(os.devnull, "wb") as null:  # noqa: PTH123 - the null device
            subprocess.run(["postfix", "-c", str(folder / "postfix"), "abort"], check=False, stdout=null, stderr=null)
        for process in (rspamd, dovecot):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=PATIENCE)


def _rspamd(folder: Path, port: int, names: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    home = folder / "rspamd"
    local = home / "local.d"
    shutil.copytree(REPOSITORY / "deploy" / "rspamd" / "local.d", local)
    for module in _QUIET:
        (local / f"{module}.conf").write_text("enabled = false;\n")
    records = ",\n".join(f'    {{ name = "{n}", type = "txt", replies = ["{v}"] }}' for n, v in names.items())
    (local / "options.inc").write_text(f'filters = "dkim";\ndns {{\n  fake_records = [\n{records}\n  ];\n}}\n')
    proxy = f'bind_socket = "127.0.0.1:{port}";\nupstream "local" {{ self_scan = yes; }}\n'
    (local / "worker-proxy.inc").write_text(proxy)
    for worker in ("normal", "controller"):
        (local / f"worker-{worker}.inc").write_text("enabled = false;\n")
    for name in ("db", "run", "log"):
        (home / name).mkdir()
    _give(home, "_rspamd")
    folders = {"LOCAL_CONFDIR": home, "DBDIR": home / "db", "RUNDIR": home / "run", "LOGDIR": home / "log"}
    options = [f"--var={name}={value}" for name, value in folders.items()]
    command = ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", "/etc/rspamd/rspamd.conf", *options]
    return _detached(command)


def _dovecot(folder: Path, port: int, imap: int) -> "subprocess.Popen[bytes]":
    home, mail = folder / "dovecot", folder / "mail"
    home.mkdir()
    mail.mkdir()
    (home / "users").write_text("".join(f"{a}:::::{mail / a}::\n" for a in (*MAILBOXES, f"replies@{FETCHED}")))
    (home / "dovecot.conf").write_text(
        f"""
        base_dir = {home}/run
        state_dir = {home}/state
        log_path = {home}/log
        protocols = lmtp imap
        disable_plaintext_auth = no
        listen = 127.0.0.1
        ssl = no
        default_internal_user = nobody
        default_login_user = nobody
        mail_uid = nobody
        mail_gid = nogroup
        first_valid_uid = 1
        first_valid_gid = 1
        mail_location = maildir:~/Maildir
        passdb {{
          driver = static
          args = nopassword=y
        }}
        service auth {{
          user = root
          chroot =
        }}
        userdb {{
          driver = passwd-file
          args = username_format=%u {home}/users
          default_fields = uid=nobody gid=nogroup
        }}
        service imap-login {{
          chroot =
          inet_listener imap {{
            address = 127.0.0.1
            port = {imap}
          }}
          inet_listener imaps {{
            port = 0
          }}
        }}
        service imap {{
          chroot =
        }}
        service lmtp {{
          chroot =
          inet_listener lmtp {{
            address = 127.0.0.1
            port = {port}
          }}
        }}
        service anvil {{
          chroot =
        }}
        service stats {{
          chroot =
        }}
        """
    )
    _give(mail, "nobody")
    return _detached(["dovecot", "-F", "-c", str(home / "dovecot.conf")])


def _postfix(folder: Path, host: MailHost, milter: int, boxes: int) -> None:
    """deploy/postfix/main.cf as it is, and below it what makes it a private instance with other ports."""
    home, queue, data = folder / "postfix", folder / "queue", folder / "data"
    for path in (home, queue, data):
        path.mkdir()
    _give(data, "postfix")
    offered = (REPOSITORY / "deploy" / "postfix" / "main.cf").read_text()
    offered = offered.replace("127.0.0.1:29341", f"127.0.0.1:{host.ours}").replace(
        "127.0.0.1:11332", f"127.0.0.1:{milter}"
    )
    offered = offered.replace("relay_domains = reply.example.org", f"relay_domains = reply.example.org, {FETCHED}")
    offered = offered.replace("transport_maps = ", f"transport_maps = inline:{{{{{FETCHED} = virtual:}}}}, ")
    # People wait longer than a test does.
    offered = re.sub(r"(?m)^(?:minimal_backoff_time|queue_run_delay) = .*$", "", offered)
    nobody = pwd.getpwnam("nobody")
    # The domains of people are there for the door alone; their mail goes to Dovecot, which knows its mailboxes.
    catch_all = ", ".join(
        f"{{ @{domain} = replies@{FETCHED}/Maildir/ }}"
        for domain in (FETCHED, "example.net", "example.com", "example.org")
    )
    (home / "main.cf").write_text(
        f"""{offered}
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
lmtp_host_lookup = native
smtpd_authorized_xclient_hosts = 127.0.0.0/8
virtual_mailbox_domains = example.net, example.com, example.org
virtual_mailbox_maps = inline:{{ {catch_all} }}
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
virtual_transport = lmtp:inet:127.0.0.1:{boxes}
maximal_backoff_time = 5s
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
    )
    chroot = "n"
    (home / "master.cf").write_text(
        f"""127.0.0.1:{host.smtp} inet n - {chroot} - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
    )
    _run("postfix", "-c", str(home), "start")


def _give(path: Path, user: str) -> None:
    found = pwd.getpwnam(user)
    for one in (path, *path.rglob("*")):
        os.chown(one, found.pw_uid, grp.getgrgid(found.pw_gid).gr_gid)


def _detached(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def until_open(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens at {port}"
            time.sleep(0.1)
        else:
            return
