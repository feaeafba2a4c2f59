// What one client has seen: every room event once, as its user sees it, told again when that changes.
import { ClientEvent, MatrixEventEvent } from "matrix-js-sdk";
import { EventShieldColour, EventShieldReason } from "matrix-js-sdk/lib/crypto-api/index.js";

export class Ledger {
    #client;
    #tell;
    #rooms = new Map(); // room id → Map(event id → MatrixEvent), in order of arrival
    #redacted = new Set();
    #told = Promise.resolve(); // one description at a time: the order of arrival is told, and the newest version last

    /** @param tell called with each event as plain data, again under the same id when it is decrypted or redacted */
    constructor(client, tell) {
        this.#client = client;
        this.#tell = tell;
        client.on(ClientEvent.Event, (event) => this.#arrived(event));
        client.on(MatrixEventEvent.Decrypted, (event) => this.#changed(event));
    }

    event(roomId, eventId) {
        const event = this.#rooms.get(roomId)?.get(eventId);
        if (!event) throw new Error(`no event ${eventId} seen in ${roomId}`);
        return event;
    }

    async timeline(roomId) {
        return Promise.all([...(this.#rooms.get(roomId)?.values() ?? [])].map((event) => this.#describe(event)));
    }

    #arrived(event) {
        const [roomId, eventId] = [event.getRoomId(), event.getId()];
        if (!roomId || !eventId) return;
        const room = this.#rooms.get(roomId) ?? new Map();
        this.#rooms.set(roomId, room);
        if (room.has(eventId)) return;
        room.set(eventId, event);
        this.#changed(event);
        // The sync loop decrypts only what a user would look at; whoever drives this client looks at everything.
        if (event.isEncrypted()) void this.#client.decryptEventIfNeeded(event);
        if (event.getType() === "m.room.redaction") this.#redact(room, event);
    }

    #redact(room, redaction) {
        const target = redaction.getContent().redacts ?? redaction.event.redacts;
        this.#redacted.add(target);
        if (room.has(target)) this.#changed(room.get(target));
    }

    #changed(event) {
        const known = this.#rooms.get(event.getRoomId())?.get(event.getId());
        if (known !== event) return; // the SDK keeps a copy of its own for local echoes
        this.#told = this.#told
            .then(() => this.#describe(event))
            .then(this.#tell)
            .catch((error) => console.error("can't describe an event", error));
    }

    async #describe(event) {
        const redacted = this.#redacted.has(event.getId()) || event.isRedacted();
        const encrypted = event.isEncrypted();
        const pending = encrypted && !redacted && !event.isDecryptionFailure() && !event.getClearContent();
        const wire = event.getWireContent();
        return {
            event_id: event.getId(),
            room_id: event.getRoomId(),
            sender: event.getSender(),
            type: event.getType(),
            state_key: event.getStateKey() ?? null,
            content: redacted || pending || event.isDecryptionFailure() ? {} : event.getContent(),
            relates_to: wire["m.relates_to"] ?? event.getContent()["m.relates_to"] ?? null,
            origin_server_ts: event.getTs(),
            encrypted,
            redacted,
            pending,
            shield: encrypted && !redacted && !pending ? await this.#shield(event) : null,
            failure: event.isDecryptionFailure() ? event.decryptionFailureReason : null,
        };
    }

    /** The warning that a client would draw beside the event, as "colour: reason"; null for none. */
    async #shield(event) {
        const info = await this.#client.getCrypto()?.getEncryptionInfoForEvent(event);
        if (!info || info.shieldColour === EventShieldColour.NONE) return null;
        return `${EventShieldColour[info.shieldColour]}: ${EventShieldReason[info.shieldReason]}`.toLowerCase();
    }
}
