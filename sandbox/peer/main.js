// Real Matrix clients under test control: one process, any number of logged-in devices, JSON lines in and out.
//
//   → {"id": 1, "client": "alice", "do": "login", "args": {"homeserver": …, "user": …, "password": …, "device": …}}
//   ← {"id": 1, "ok": {"user_id": …, "device_id": …}}            or {"id": 1, "error": {"message", "errcode", "status"}}
//   ← {"event": "timeline" | "membership", "client": "alice", …}
//
// `client` is the driver's own name for a device. The verbs are in commands.js; `login` and `stop` are here.
import "./quiet.js";
import "./clock.js";

import { Account } from "./account.js";
import { commands } from "./commands.js";
import { emit, serve } from "./protocol.js";

const accounts = new Map();

async function login(name, args) {
    if (accounts.has(name)) throw new Error(`a client called ${name} is logged in`);
    const account = await Account.login(args, (event) => emit({ ...event, client: name }));
    accounts.set(name, account);
    return commands.whoami(account);
}

async function stop(name) {
    await accounts.get(name)?.stop();
    accounts.delete(name);
}

process.on("unhandledRejection", (reason) => console.error("in the background:", reason)); // one client's must not end all

await serve(async (name, verb, args) => {
    if (verb === "login") return login(name, args);
    if (verb === "stop") return stop(name);
    const account = accounts.get(name);
    if (!account) throw new Error(`no client called ${name}`);
    if (!Object.hasOwn(commands, verb)) throw new Error(`no verb called ${verb}`);
    const answer = await commands[verb](account, args);
    if (verb === "logout") await stop(name);
    return answer;
});
for (const account of accounts.values()) await account.stop();
process.exit(0); // the SDK's timers would hold the process open
