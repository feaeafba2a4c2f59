// What a driven client can do: one function a verb, `(account, args) → answer`.
import { createHash } from "node:crypto";

import { Method } from "matrix-js-sdk";
import { PollResponseEvent } from "matrix-js-sdk/lib/extensible_events_v1/PollResponseEvent.js";

import * as attachments from "./attachments.js";
import { pass } from "./clock.js";
import { verification } from "./verification.js";

const sent = async (sending) => (await sending).event_id;
const text = (body, extra = {}) => ({ msgtype: "m.text", body, ...extra });

function sendContent({ client }, room, content, type = "m.room.message") {
    return sent(client.sendEvent(room, type, content));
}

async function upload({ client }, bytes) {
    const type = "application/octet-stream";
    return (await client.uploadContent(new Blob([bytes], { type }), { type, includeFilename: false })).content_uri;
}

async function download({ client }, mxc) {
    const url = client.mxcUrlToHttp(mxc, undefined, undefined, undefined, false, true, true);
    const response = await fetch(url, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
    if (!response.ok) throw Object.assign(new Error("media download refused"), { status: response.status });
    return new Uint8Array(await response.arrayBuffer());
}

const describeRoom = (room) => ({
    room_id: room.roomId,
    name: room.name,
    membership: room.getMyMembership(),
    room_type: room.getType() ?? null,
    encrypted: room.hasEncryptionStateEvent(),
    inviter: room.getDMInviter() ?? null,
});

const describeMember = (member) => ({
    user_id: member.userId,
    membership: member.membership,
    name: member.rawDisplayName,
    power: Number.isFinite(member.powerLevel) ? member.powerLevel : null, // v12 creators are above every number
});

export const commands = {
    ...verification,

    whoami: ({ client }) => ({ user_id: client.getUserId(), device_id: client.getDeviceId() }),

    join: async (account, { room }) => account.synced((await account.client.joinRoom(room)).roomId),
    leave: ({ client }, { room }) => client.leave(room),
    invite: ({ client }, { room, user }) => client.invite(room, user),
    kick: ({ client }, { room, user, reason }) => client.kick(room, user, reason),
    async createRoom(account, { name, invite = [], encrypted = true, direct = false }) {
        const encryption = { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } };
        const room = await account.client.createRoom({
            name,
            invite,
            is_direct: direct,
            preset: direct ? "trusted_private_chat" : "private_chat",
            initial_state: encrypted ? [encryption] : [],
        });
        return account.synced(room.room_id);
    },

    send: (account, { room, content, type }) => sendContent(account, room, content, type),
    sendState: ({ client }, { room, type, key = "", content }) => sent(client.sendStateEvent(room, type, content, key)),
    text: (account, { room, body }) => sendContent(account, room, text(body)),
    html: (account, { room, body, html }) =>
        sendContent(account, room, text(body, { format: "org.matrix.custom.html", formatted_body: html })),
    reply: (account, { room, to, body }) =>
        sendContent(account, room, text(body, { "m.relates_to": { "m.in_reply_to": { event_id: to } } })),
    edit: (account, { room, event, body }) =>
        sendContent(
            account,
            room,
            text(`* ${body}`, {
                "m.new_content": text(body),
                "m.relates_to": { rel_type: "m.replace", event_id: event },
            }),
        ),
    react: (account, { room, to, key }) =>
        sendContent(account, room, { "m.relates_to": { rel_type: "m.annotation", event_id: to, key } }, "m.reaction"),
    /** A vote in a poll, as the SDK makes them. */
    vote(account, { room, poll, answers }) {
        const { type, content } = PollResponseEvent.from(answers, poll).serialize();
        return sendContent(account, room, content, type);
    },
    /** A poll as the SDK reads it. */
    poll({ ledger }, { room, event }) {
        const poll = ledger.event(room, event).unstableExtensibleEvent;
        const answers = poll.answers.map((answer) => [answer.id, answer.text]);
        return { question: poll.question.text, most: poll.maxSelections, answers };
    },
    redact: ({ client }, { room, event, reason }) =>
        sent(client.redactEvent(room, event, undefined, reason ? { reason } : undefined)),

    async sendFile(account, { room, name, mimetype, base64, msgtype = "m.file" }) {
        const bytes = Buffer.from(base64, "base64");
        const content = { msgtype, body: name, filename: name, info: { mimetype, size: bytes.length } };
        if (await account.crypto.isEncryptionEnabledInRoom(room)) {
            const { ciphertext, file } = await attachments.encrypt(bytes);
            content.file = { ...file, url: await upload(account, ciphertext) };
        } else content.url = await upload(account, bytes);
        return sendContent(account, room, content);
    },
    async downloadFile(account, { room, event }) {
        const content = account.ledger.event(room, event).getContent();
        const stored = await download(account, content.file?.url ?? content.url);
        const bytes = content.file ? await attachments.decrypt(stored, content.file) : stored;
        return {
            name: content.filename ?? content.body,
            mimetype: content.info?.mimetype ?? null,
            encrypted: Boolean(content.file),
            sha256: createHash("sha256").update(bytes).digest("hex"),
            base64: Buffer.from(bytes).toString("base64"),
        };
    },

    timeline: ({ ledger }, { room }) => ledger.timeline(room),
    rooms: ({ client }) => client.getRooms().map(describeRoom),
    members: ({ client }, { room }) => client.getRoom(room)?.getMembers().map(describeMember) ?? [],
    state: ({ client }, { room, type, key = "" }) => client.getStateEvent(room, type, key),

    /** A user's devices as this client judges them: `signed` means cross-signed by their owner. */
    async devices({ client, crypto }, { user }) {
        const devices = (await crypto.getUserDeviceInfo([user], true)).get(user) ?? new Map();
        const judge = async (device) => ({
            device_id: device,
            signed: (await crypto.getDeviceVerificationStatus(user, device))?.signedByOwner ?? false,
        });
        return Promise.all([...devices.keys()].map(judge));
    },
    crossSign: (account) => account.crossSign(),
    signDevice: ({ client }, { device }) => client.getCrypto().crossSignDevice(device),
    resetIdentity: (account) => account.crossSign({ anew: true }),
    discardSession: ({ crypto }, { room }) => crypto.forceDiscardSession(room),
    exportKeys: ({ crypto }) => crypto.exportRoomKeysAsJson(),
    importKeys: ({ crypto }, { keys }) => crypto.importRoomKeysAsJson(keys),

    /** Any request of the client-server API with this device's token; `path` starts at `/_matrix`. */
    request: ({ client }, { method, path, body }) =>
        client.http.authedRequest(Method[method[0] + method.slice(1).toLowerCase()] ?? method, path, undefined, body, {
            prefix: "",
        }),
    /** Time passes for every client here. */
    pass: (_, { ms }) => pass(ms),
    logout: ({ client }) => client.logout(true),
};
