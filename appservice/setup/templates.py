"""The text of the files that `mediatrix init` writes; the repository's own examples are made from it too."""

from string import Template
from typing import Final

CONFIG: Final = Template(
    """\
# Mediatrix: the configuration. `mediatrix config check` names every mistake in it.
# Paths begin at the folder of this file. A secret is {file: PATH} or {env: NAME}, and never stands in here.

homeserver:
  url: $homeserver_url                   # the client-server API, as this machine reaches it
  server_name: $server_name              # what stands after the colon of your user ids
  # reports_token: {file: secrets/reports.token}            # an administrator's token at it: what people report in
                                         # their clients is then shown at the desk; default none

appservice:
  listen:
    host: $listen_host                   # the address to listen on; default 127.0.0.1
    port: $listen_port                   # the port to listen on; default 29340
  public_base_url: $public_base_url      # our URL as people see it, through your reverse proxy
  trusted_proxies: []                    # networks of reverse proxies whose X-Forwarded-For is believed; default none
  registration: registration.yaml        # the file that the homeserver reads too
  user_prefix: _mediatrix_               # how the ids of our users begin; default _mediatrix_
  bot: _mediatrix_bot                    # the bot's id, without @ and server; default _mediatrix_bot

database:
  url: $database_url                     # or postgresql+asyncpg://USER@HOST/NAME (with a password: {env: NAME})

organisation:                            # said in every invitation, so that people can check it is genuine
  name: $organisation                    # the organisation
  contact: $contact                      # a person who can be asked for
  telephone: $telephone                  # the number at which that person calls back
  time_zone: UTC                         # by whose clock times are shown, like Europe/Berlin, in new cases
  # successor: "@max:example.org"        # who comes into a case when no mediator is left at its desk
  language: en                           # in which parties are written to, in new cases: en, de, es or fr; default en
  # discreet:                            # what those see of us who want that nothing tells anything (!discreet)
  #   name: ""                           # whom their mails come from; default nobody named
  #   subject: A message for you         # the subject of their mails; default this, in their language
  #   address: post@letters.example      # the address their mails come from; default noreply@ and the reply domain
  #   base_url: https://letters.example  # our URL in their mails, another name of this server; default public_base_url
  #   leave_to: https://www.wikipedia.org      # where whoever leaves our page in a hurry is led; default this

mediators: $mediators                    # Matrix user ids, in quotes, of who may open cases; at least one

secrets:
  master_key: {file: secrets/master.key}                    # 32 bytes in base64; back it up apart from the database
  # old_master_keys: [{file: secrets/old.key}]              # while a new master key takes over; default none
  provisioning_token: {file: secrets/provisioning.token}    # the token of the provisioning API

email:
  enabled: $email_enabled                # whether there is an email bridge; default true where this section stands
  reply_domain: $reply_domain            # the domain of reply addresses; its mail must come to the LMTP port below
  authserv_id: $authserv_id              # the name in the Authentication-Results of your own mail server
  # accept_spf: false                    # whether SPF is proof where the sender's domain signs nothing; default false
  # arc_sealers: [forwarder.example]     # forwarders whose word on what they verified counts; default none
  # intake_address: info@reply.example.org   # where strangers write, for the triage desk; default none
  # joint_delay_seconds: 15              # how long a mail to all waits, should it come to another address; default 15
  lmtp:
    host: $lmtp_host                     # where your mail server hands us mail; default 127.0.0.1
    port: $lmtp_port                     # default 29341
    # servers: [192.0.2.25]              # who may hand us mail besides this machine: addresses, networks; default none
  # imap:                                # instead of lmtp: a mailbox of ours alone, from which mail is fetched
  #   host: imap.example.org
  #   port: 993                          # default 993
  #   tls: implicit                      # none, starttls or implicit; default implicit
  #   username: mediatrix
  #   password: {file: secrets/imap.password}
  #   folder: INBOX                      # default INBOX
  #   recipient_field: Delivered-To      # where the delivering server writes for whom a mail is; default Delivered-To
  #   every_seconds: 60                  # how often it is looked for mail, 5 to 3600; default 60
  smtp:
    host: $smtp_host                     # the mail server that sends for us; default 127.0.0.1
    port: $smtp_port                     # default 25
    tls: $smtp_tls                       # none, starttls or implicit; default none
    # username: mediatrix                # where the server wants one; default none
    # password: {file: secrets/smtp.password}
  # after_closing:                       # what counts is what is set here when a case is closed
  #   addresses_days: 14                 # until mail to its reply addresses is refused, 0 to 3650; default 14
  #   mails_days: 90                     # until its mails are destroyed, as they came, 0 to 3650; default 90

whatsapp:
  enabled: false                         # whether there is a WhatsApp bridge; default true where this section stands
  private_number: "100000000000001"      # Meta's id (phone number id) of your number for private rooms
  # joint_number: "100000000000002"      # that of a second one, for joint rooms; without it, parties write in private
  # intake_number: "100000000000003"     # one at which whoever writes is a stranger, even a party; default none
  template: {name: new_message, language: en}              # the approved message that asks somebody to write; with
                                         # also: [de, es] where it is approved in other languages, too
  # discreet_template: {name: new_post, language: en}      # one that tells nothing, for those who want that
  # notices:                             # the approved messages that tell mediators of their desks; default none
  #   notice: {name: desk_notice, language: en}            # that something waits, without variables
  #   code: {name: desk_code, language: en}                # a code, of category authentication
  app_secret: {file: secrets/whatsapp-app.secret}          # the secret of your app at Meta, which signs webhooks
  verify_token: {file: secrets/whatsapp-verify.token}      # a word of yours, which you give Meta with the webhook's URL
  access_token: {file: secrets/whatsapp-access.token}      # the token of your system user at Meta

agreement:                               # what everyone accepts, in private, before they come into the joint room
  enabled: $agreement_enabled            # whether there is one; default true where this section stands
  file: agreement.md                     # its text, in Markdown: yours to write; see the mediators' handbook
  confidentiality: strict                # strict, share-unless-marked or no-secrets, for new cases; default strict

documents:
  enabled: false                         # whether files go to the vault; default true where this section stands
  folder: documents                      # the folder of the vault, ours alone: encrypted files; default documents
  # s3:                                  # a bucket for the encrypted files instead of the folder, which then has
  #   endpoint: https://s3.example.org   # only what is being worked on; the bucket, or the prefix in it, ours alone
  #   bucket: mediatrix-documents
  #   region: us-east-1                  # default us-east-1
  #   prefix: ""                         # what the names of our objects begin with; default nothing
  #   access_key_id: mediatrix
  #   secret_access_key: {file: secrets/s3.secret}
  # media_admin_token: {file: secrets/media-admin.token}    # an administrator's token at the homeserver, which deletes
                                         # what went to the vault; without it, those encrypted bytes stay there
  # clamd: {socket: /run/clamav/clamd.ctl}                  # a malware scanner; while it is down, files wait
  most_megabytes: 50                     # how large a file may be, in MB; default 50
  case_megabytes: 5000                   # how much all of one private room of a case may be, in MB; default 5000
  person_megabytes: 1000                 # how much one person's may be in a case, in MB; default 1000
  day_files: 100                         # how many files one person may share in a case in 24 hours; default 100

intake:                                  # the triage desk: strangers' messages, answered once by itself
  enabled: false                         # whether there is one; default true where this section stands
  mediators: []                          # who reads and answers there; none: all mediators

mediators_room:                          # where the organisation's mediators talk; those on WhatsApp alone may join
  enabled: false                         # whether there is one; default true where this section stands
  mediators: []                          # who is in it in Matrix, and looks after it; none: all mediators

record:
  heads_to: []                           # mail addresses that get the signed heads of the record as each desk does, on
                                         # days when something was recorded; needs the email bridge; default none

rules:                                   # of the joint room, for new cases; !rules changes them in a case
  edit_minutes: 15                       # how long words can be changed there, 1 to 1440 minutes; default 15
  dry_run: []                            # which only tell the desk what they would take away: late-edit, joint-file

rooms:
  rotation_messages: 100                 # messages until a room gets a new key; default 100
  rotation_hours: 168                    # hours until a room gets a new key; default 168
  undo_seconds: 30                       # so long a mediator's post can be taken back before it is mailed; default 30

logging:
  level: info                            # debug, info, warning or error; default info
  format: text                           # text, or json with one object a line; default text
"""
)

AGREEMENT: Final = """\
# Agreement to mediate

1. We take part of our own will. Each of us may pause or leave at any time, without giving a reason.
2. The mediator helps us to talk and to find a solution. The mediator decides nothing, gives no legal advice and takes
   no side.
3. What is said and shown in the mediation is confidential. None of us uses it against another outside of it, in court
   or elsewhere, and none of us calls the mediator as a witness.
4. Nothing binds us before we have signed it.
5. Each of us has a private room with the mediator. Everything written in the joint room is read by everyone.
6. Messages can be copied and photographed by whoever reads them. We do not pass them on.
7. Email is not end-to-end encrypted, and Meta can read what goes by WhatsApp. Who takes part by one of them has agreed
   to that.
"""
"""An example to begin with, which the organisation makes its own."""

REGISTRATION: Final = Template(
    """\
# Mediatrix, as the homeserver is told of it: list this file in homeserver.yaml under app_service_config_files.
# Both programs read it, and nobody else may: it holds the tokens by which they know each other.

id: mediatrix                            # no other application service of the homeserver may have this name
url: $url                                # where the homeserver reaches Mediatrix
as_token: $as_token                      # the secret that Mediatrix shows the homeserver
hs_token: $hs_token                      # the secret that the homeserver shows Mediatrix
sender_localpart: $sender_localpart      # a user that is never used: the homeserver gives it no /sync
rate_limited: false                      # a slow ghost would hold up a case
receive_ephemeral: true                  # or no message for a device ever arrives
org.matrix.msc3202: true                 # key counts and device lists in transactions
io.element.msc4190: true                 # our users make their devices without a login
namespaces:
  users:
    - exclusive: true                    # nobody else may register these ids
      regex: $regex                      # the bot and the ghosts
  aliases: []
  rooms: []
"""
)

HOMESERVER: Final = Template(
    """\
app_service_config_files:
  - $registration

experimental_features:
  msc2409_to_device_messages_enabled: true   # or nothing can be decrypted
  msc3202_transaction_extensions: true       # or keys run out unnoticed

presence:
  enabled: false                             # who is online, and when
url_preview_enabled: false                   # previews would fetch links that people wrote
require_auth_for_profile_requests: true
limit_profile_requests_to_users_who_share_rooms: true
user_directory:
  search_all_users: false                    # parties must not find each other, or other cases' people
allow_guest_access: false
enable_registration: false
federation_domain_whitelist: []              # what left for another server can't be taken back
"""
)
