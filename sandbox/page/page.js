// Draws what the server says each person sees, and sends what is written. No framework, nothing from elsewhere.

const KIND_ORDER = ["everyone", "private", "desk", "chat"];

/** What is said of a column, and how what is written in it leaves, by whoever is not in Matrix. */
const CHANNELS = {
    Carl: {
        tabs: "Carl’s mail, by room",
        none: "No mail yet",
        empty: "The mailbox is empty.",
        label: "Answer this mail",
        send: (room, text, proof) => post("/mail", { room, text, proof }),
    },
    Bea: telephone("Bea"),
    Dan: telephone("Dan"),
};

function telephone(person) {
    return {
        tabs: `${person}’s chats`,
        none: "No chats yet",
        empty: "No message yet.",
        label: "Write a message",
        send: (chat, text) => post("/text", { person, chat, text }),
        picture: (chat) => post("/picture", { person, chat }),
    };
}

/** Who reads what is written in a chat, by its kind. */
const READ_BY = {
    everyone: "a contact: what you write there, all read",
    private: "a contact: read by the mediator alone",
    chat: "a number on a leaflet: who reads it, you can’t know",
};

const columns = new Map([...document.querySelectorAll(".person")].map((section) => [section.dataset.person, column(section)]));

const events = new EventSource("/events");
events.onmessage = ({ data }) => show(JSON.parse(data));
events.onopen = () => status("Live.");
events.onerror = () => status("The demo has stopped.");

function status(text) {
    document.getElementById("status").textContent = text;
}

function show({ people, mails, contacts, telephones, login }) {
    for (const [name, rooms] of Object.entries(people)) columns.get(name).update(rooms.map(fromRoom));
    columns.get("Carl").update(fromMails(mails));
    columns.get("Bea").update(fromBubbles("Bea", contacts, telephones.Bea));
    columns.get("Dan").update(fromBubbles("Dan", knownTo(telephones.Dan, contacts), telephones.Dan));
    const entries = [["Homeserver", login.homeserver], ...Object.entries(login.passwords).map(([user, password]) => [user, password])];
    document.getElementById("login").replaceChildren(
        ...entries.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, element("code", {}, value))]),
    );
}

// A tab is {id, title, kind, readers, items: [{id, key, draw}]}, whether its items are messages, mails or a chat's.

function fromRoom(room) {
    const [title] = room.name.split(" · ");
    const people = room.people.join(", ");
    return {
        id: room.id,
        title: room.name === "Desk · triage" ? "Triage desk" : room.kind === "private" ? `PRIVATE with ${people || "mediator"}` : room.kind === "chat" ? "Chat with the bot" : title,
        kind: room.kind,
        readers: [room.name, people ? `read by you, ${people}, and the service` : "read by you and the service"],
        items: together(room.lines).map((line) => ({ id: line.id, key: JSON.stringify(line), draw: () => drawLine(line) })),
    };
}

/** Messages that can't be read, one after the other and for the same reason, as one line that says how many. */
function together(lines) {
    const shown = [];
    for (const line of lines) {
        const last = shown.at(-1);
        if (line.closed && last?.closed === line.closed) last.count += 1;
        else shown.push(line.closed ? { ...line, count: 1 } : line);
    }
    return shown;
}

function fromMails(mails) {
    const rooms = [...new Set(mails.map((mail) => mail.room))];
    const kind = (room) => (room.startsWith("PRIVATE") ? "private" : room.startsWith("EVERYONE") ? "everyone" : "chat");
    const titles = { private: "PRIVATE with mediator", everyone: "EVERYONE", chat: "Links" };
    return rooms
        .map((room) => {
            const thread = mails.filter((mail) => mail.room === room);
            const last = thread.findLast((mail) => mail.box === "received");
            return {
                id: room,
                title: titles[kind(room)],
                kind: kind(room),
                readers: [room, thread[0].address ? `answers go to ${thread[0].address}` : "takes no answer"],
                items: thread.map((mail) => ({
                    id: mail.id,
                    key: JSON.stringify([mail, mail === last]),
                    draw: () => drawMail(mail, mail === last),
                })),
            };
        })
        .sort((a, b) => KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind));
}

/** A stranger knows the one number that stands on a leaflet, until a case is opened for him and he hears from both. */
function knownTo(bubbles, contacts) {
    if (bubbles.some(({ chat }) => contacts[chat].endsWith("JOINT"))) return contacts;
    return Object.fromEntries(
        Object.entries(contacts)
            .filter(([, name]) => name.endsWith("PRIVATE"))
            .map(([chat, name]) => [chat, name.replace(" PRIVATE", "")]),
    );
}

function fromBubbles(person, contacts, bubbles) {
    return Object.entries(contacts)
        .map(([chat, name]) => {
            const theirs = bubbles.filter((bubble) => bubble.chat === chat);
            const pressed = new Set(theirs.filter(({ mine }) => mine).map(({ quotes }) => quotes));
            const kind = name.endsWith("JOINT") ? "everyone" : name.endsWith("PRIVATE") ? "private" : "chat";
            return {
                id: chat,
                title: { everyone: "JOINT", private: "PRIVATE", chat: "Example Mediation" }[kind],
                kind,
                readers: [name, READ_BY[kind]],
                items: theirs.map((bubble) => ({
                    id: bubble.id,
                    key: JSON.stringify([bubble, pressed.has(bubble.id)]),
                    draw: () => drawBubble(bubble, person, name, pressed.has(bubble.id)),
                })),
            };
        })
        .sort((a, b) => KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind));
}

function channel(person) {
    return (
        CHANNELS[person] ?? {
            tabs: `${person}’s rooms`,
            none: "No rooms yet",
            empty: "Nothing was said here yet.",
            label: "Write to everyone named above",
            send: (room, text) => post("/say", { person, room, text }),
        }
    );
}

function column(section) {
    const person = section.dataset.person;
    section.append(document.getElementById("inside").content.cloneNode(true));
    const find = (selector) => section.querySelector(selector);
    const [tablist, panel, log, form, area, trouble] = [".tabs", ".room", ".log", "form", "textarea", ".trouble"].map(find);
    const forge = find(".forge");
    const by = channel(person);
    const byMail = person === "Carl";
    const picture = find(".picture");
    forge.hidden = !byMail;
    picture.hidden = !by.picture;
    panel.id = `${section.id}-room`;
    tablist.setAttribute("aria-label", by.tabs);
    const seen = new Map(); // tab → how many of its items were on screen
    let [tabs, chosen] = [[], null];

    function update(fresh) {
        const first = chosen === null;
        tabs = fresh;
        if (!tabs.some((tab) => tab.id === chosen)) chosen = tabs[0]?.id ?? null;
        if (first) for (const tab of tabs) seen.set(tab.id, tab.items.length);
        draw();
    }

    function choose(id, focus = false) {
        chosen = id;
        draw();
        log.scrollTop = log.scrollHeight;
        if (focus) tablist.querySelector("[aria-selected=true]").focus();
    }

    function draw() {
        const tab = tabs.find(({ id }) => id === chosen);
        if (tab) seen.set(tab.id, tab.items.length);
        drawTabs();
        panel.className = `room ${tab?.kind ?? ""}`;
        find(".readers").replaceChildren(...(tab ? [element("b", {}, tab.readers[0]), ` · ${tab.readers[1]}`] : [by.none]));
        drawItems(tab);
        const label = tab?.kind === "desk" ? "Write, or give a command such as !help" : by.label;
        area.placeholder = label;
        area.setAttribute("aria-label", `${person}: ${label}`);
        for (const button of form.querySelectorAll("button")) button.disabled = !tab;
    }

    function drawTabs() {
        const buttons = tabs.map(({ id, title, kind, items }) => {
            const fresh = items.length > (seen.get(id) ?? 0);
            const button = element("button", { type: "button", role: "tab", id: `${section.id}-${id}`, class: `${kind}${fresh ? " new" : ""}` }, title);
            button.setAttribute("aria-selected", String(id === chosen));
            button.setAttribute("aria-controls", panel.id);
            button.tabIndex = id === chosen ? 0 : -1;
            if (fresh) button.append(element("span", { class: "hidden" }, " (new)"));
            button.onclick = () => choose(id, true);
            return button;
        });
        const had = tablist.contains(document.activeElement);
        tablist.replaceChildren(...buttons);
        panel.setAttribute("aria-labelledby", `${section.id}-${chosen}`);
        if (had) tablist.querySelector("[aria-selected=true]")?.focus();
    }

    /** Replaces only what changed, so that a reader's place, an open mail and a selection stay. */
    function drawItems(tab) {
        const below = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
        log.setAttribute("aria-label", tab ? `${person}: ${tab.title}` : person);
        const known = new Map([...log.children].map((child) => [child.dataset.key, child]));
        const items = (tab?.items ?? []).map((item) => {
            const kept = known.get(`${tab.id} ${item.key}`);
            if (kept) return kept;
            const drawn = item.draw();
            drawn.dataset.key = `${tab.id} ${item.key}`;
            return drawn;
        });
        log.replaceChildren(...(items.length ? items : [element("div", { class: "empty" }, by.empty)]));
        if (below) log.scrollTop = log.scrollHeight;
    }

    tablist.onkeydown = (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const at = tabs.findIndex(({ id }) => id === chosen);
        choose(tabs[(at + step + tabs.length) % tabs.length].id, true);
        event.preventDefault();
    };
    area.onkeydown = (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing || byMail) return;
        event.preventDefault();
        form.requestSubmit();
    };
    form.onsubmit = async (event) => {
        event.preventDefault();
        const text = area.value.trim();
        if (!text || chosen === null) return;
        const button = form.querySelector("button:not(.picture)");
        button.disabled = true;
        const proof = forge.querySelector("input").checked ? "none" : "pass";
        const problem = await by.send(chosen, text, proof);
        button.disabled = false;
        trouble.textContent = problem;
        if (!problem) [area.value, forge.querySelector("input").checked] = ["", false];
        area.focus();
        log.scrollTop = log.scrollHeight;
    };
    picture.onclick = async () => {
        trouble.textContent = await by.picture(chosen);
    };
    return { update };
}

/** Sends it; returns what went wrong, in words, or nothing. */
async function post(path, body) {
    try {
        const response = await fetch(path, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
        });
        return response.ok ? "" : ((await response.json().catch(() => null))?.error ?? "It was not sent.");
    } catch {
        return "The demo has stopped.";
    }
}

function drawLine(line) {
    if (line.closed) return drawClosed(line);
    const said = element("div", { class: "said" });
    if (line.reply_to) said.append(element("span", { class: "quote" }, line.reply_to));
    if (line.removed) said.append(element("span", { class: "gone" }, "This message was removed."));
    else said.append(line.file ? `📎 ${line.text}` : line.text);
    if (line.edited) said.append(element("span", { class: "gone" }, " (edited)"));
    const item = element("div", { class: `line${line.mine ? " mine" : ""}${line.bot ? " bot" : ""}` });
    item.append(element("div", { class: "who" }, element("b", {}, line.mine ? "You" : line.author), time(line.at), shield(line)), said);
    const reactions = Object.entries(line.reactions).map(([key, count]) => element("span", {}, count > 1 ? `${key} ${count}` : key));
    if (reactions.length) item.append(element("div", { class: "reactions" }, ...reactions));
    return item;
}

function drawClosed({ count, closed }) {
    const what = count > 1 ? `${count} messages can’t be read here` : "A message can’t be read here";
    return element("div", { class: "closed" }, `${what}: ${closed}`);
}

/** What a Matrix client draws beside a message: a lock, or the warning why not to trust it. */
function shield({ encrypted, warning, removed }) {
    if (removed) return "";
    if (!encrypted) return element("span", { class: "mark bad" }, "not encrypted");
    if (warning) return element("span", { class: "mark bad" }, `⚠ ${warning}`);
    const lock = element("span", { class: "mark", title: "encrypted, from a device that its owner has cross-signed" }, "🔒");
    lock.setAttribute("role", "img");
    lock.setAttribute("aria-label", "encrypted, no warning");
    return lock;
}

function drawMail(mail, open) {
    const box = element("details", open ? { open: "" } : {});
    const mine = mail.box !== "received";
    const by = { received: "Mediatrix", forged: "A forger" }[mail.box] ?? "You";
    box.append(
        element("summary", {}, element("b", {}, by), element("span", { class: "peek" }, mine ? mail.text : peek(mail.text)), time(mail.at)),
        element(
            "dl",
            {},
            ...[["Subject", `${mine ? "Re: " : ""}${mail.room}`], [mine ? "To" : "From", mail.address]].flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]),
        ),
        element("pre", {}, mail.box === "refused" ? `The service refused this mail.\n\n${mail.text}` : mail.text),
    );
    return element("div", { class: `mail ${mail.box}` }, box);
}

function drawBubble(bubble, person, from, isAnswered) {
    const who = element("div", { class: "who" }, element("b", {}, bubble.mine ? "You" : from), time(bubble.at));
    const item = element("div", { class: `line${bubble.mine ? " mine" : ""}` }, who, element("div", { class: "said" }, ...(bubble.mine ? [bubble.text] : asOnATelephone(bubble.text))));
    const buttons = bubble.buttons.map(({ id, title }) => {
        const button = element("button", { type: "button" }, title);
        button.disabled = isAnswered;
        button.onclick = () => post("/press", { person, bubble: bubble.id, button: id });
        return button;
    });
    if (buttons.length) item.append(element("div", { class: "choices" }, ...buttons));
    return item;
}

/** WhatsApp's formatting, as far as it is used here: a line behind “> ” is a quote, and *words* are bold. */
function asOnATelephone(text) {
    const quoted = (line) => line?.startsWith("> ");
    return text.split("\n").flatMap((line, i, lines) => {
        if (quoted(line)) return [element("span", { class: "quote" }, line.slice(2))];
        const parts = line.split(/(?<!\S)\*(\S[^*]*)\*(?!\S)/).map((part, n) => (n % 2 ? element("b", {}, part) : part));
        return i + 1 < lines.length && !quoted(lines[i + 1]) ? [...parts, "\n"] : parts;
    });
}

/** What a mail program would show of a mail in its list: the words that somebody wrote, or the first of the letter. */
function peek(text) {
    const lines = text.split("\n");
    const words = lines.find((line) => line.startsWith("| "))?.slice(2);
    return words ?? lines.slice(lines.findIndex((line) => line.startsWith("Dear"))).find((line) => / /.test(line) && !line.startsWith("Dear")) ?? "";
}

function time(at) {
    const moment = new Date(at);
    return element("time", { datetime: moment.toISOString() }, moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
}

function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}
