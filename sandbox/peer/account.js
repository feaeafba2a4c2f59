// One logged-in device: rust crypto, its place under the user's cross-signing identity, its first sync.
import { ClientEvent, MatrixClient, RoomEvent, SyncState, createClient } from "matrix-js-sdk";
import {
    AllDevicesIsolationMode,
    OnlySignedDevicesIsolationMode,
    deriveRecoveryKeyFromPassphrase,
} from "matrix-js-sdk/lib/crypto-api/index.js";

import { Ledger } from "./ledger.js";

const TIMELINE_LIMIT = 500; // events a room in one sync: the driver should never meet a gap
const KNOCK_AFTER = 300; // ms
const ITERATIONS = 1000; // of the key derivation: what is kept here need not last

/** Unlocks secret storage with the account's password, which is also its recovery passphrase here. */
function recoveryWith(password) {
    const derived = new Map();
    const derive = (id, { salt, iterations, bits }) => {
        if (!derived.has(id)) derived.set(id, deriveRecoveryKeyFromPassphrase(password, salt, iterations, bits));
        return derived.get(id);
    };
    return {
        async getSecretStorageKey({ keys }) {
            const [id, info] = Object.entries(keys).find(([, info]) => info.passphrase) ?? [];
            return id ? [id, await derive(id, info.passphrase)] : null;
        },
        cacheSecretStorageKey(id, _info, key) {
            derived.set(id, Promise.resolve(key));
        },
    };
}

export class Account {
    /** @type {MatrixClient} */ client;
    /** @type {Ledger} */ ledger;
    #password;
    #joined = new Set();
    #knock;

    /**
     * Logs in as a new device, syncs, and cross-signs it unless `crossSign` is false. The user's first such device
     * makes the identity; later ones fetch it from secret storage. `tell` gets the unsolicited events.
     */
    static async login({ homeserver, user, password, device, crossSign = true, isolation = "onlySigned" }, tell) {
        const session = await createClient({ baseUrl: homeserver }).loginRequest({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password,
            device_id: device,
            initial_device_display_name: device,
        });
        const account = new Account();
        account.#password = password;
        account.client = createClient({
            baseUrl: homeserver,
            userId: session.user_id,
            deviceId: session.device_id,
            accessToken: session.access_token,
            cryptoCallbacks: recoveryWith(password),
        });
        await account.client.initRustCrypto({ useIndexedDB: false });
        account.crypto.RECOVERY_KEY_DERIVATION_ITERATIONS = ITERATIONS;
        account.isolate(isolation);
        account.#listen(tell);
        await account.#sync();
        if (crossSign) await account.crossSign();
        return account;
    }

    get crypto() {
        return this.client.getCrypto();
    }

    isolate(mode) {
        const modes = { all: () => new AllDevicesIsolationMode(false), onlySigned: () => new OnlySignedDevicesIsolationMode() };
        this.crypto.setDeviceIsolationMode(modes[mode]());
    }

    /** Puts this device under the user's identity, making that identity if there is none (or `anew`). */
    async crossSign({ anew = false } = {}) {
        if (await this.#sign(anew)) await this.#storeSecrets();
    }

    /** Resolves when a whole sync has brought a room that was joined: before that the SDK can't encrypt to it. */
    async synced(roomId) {
        while (!this.#joined.has(roomId)) await new Promise((wake) => this.client.once(ClientEvent.Sync, wake));
        return roomId;
    }

    async stop() {
        clearTimeout(this.#knock);
        this.client.stopClient();
    }

    /** Returns whether a new identity was made, whose keys still have to go to secret storage. */
    async #sign(anew) {
        const me = this.client.getUserId();
        // Downloads our own identity first: without it a second device would found a second identity.
        const founding = !(await this.crypto.userHasCrossSigningKeys(me, true));
        await this.crypto.bootstrapCrossSigning({
            setupNewCrossSigning: anew || founding,
            authUploadDeviceSigningKeys: (request) =>
                request({
                    type: "m.login.password",
                    identifier: { type: "m.id.user", user: me },
                    password: this.#password,
                }),
        });
        return anew || founding;
    }

    async #storeSecrets() {
        await this.crypto.bootstrapSecretStorage({
            setupNewSecretStorage: true,
            createSecretStorageKey: () => this.crypto.createRecoveryKeyFromPassphrase(this.#password),
        });
    }

    #listen(tell) {
        this.ledger = new Ledger(this.client, (seen) => tell({ event: "timeline", seen }));
        this.client.on(ClientEvent.Sync, (state) => {
            if (state === SyncState.Reconnecting || state === SyncState.Error) this.#knockSoon();
            const joined = this.client.getRooms().filter((room) => room.getMyMembership() === "join");
            const known = joined.filter((room) => room.currentState.getStateEvents("m.room.create", ""));
            this.#joined = new Set(known.map((room) => room.roomId));
        });
        this.client.on(RoomEvent.MyMembership, (room, membership) => {
            const mine = room.getMember(this.client.getUserId())?.events.member;
            tell({
                event: "membership",
                room_id: room.roomId,
                membership,
                by: mine?.getSender() ?? null,
                name: room.name,
                room_type: room.getType() ?? null,
                direct: Boolean(mine?.getContent().is_direct),
            });
        });
    }

    /** As a person does who presses “try again”: by itself the SDK waits for up to ten seconds. */
    #knockSoon() {
        clearTimeout(this.#knock);
        this.#knock = setTimeout(() => this.client.retryImmediately(), KNOCK_AFTER);
    }

    async #sync() {
        const ready = new Promise((resolve, reject) => {
            this.client.on(ClientEvent.Sync, (state, _previous, data) => {
                if (state === SyncState.Prepared) resolve();
                if (state === SyncState.Error) reject(data?.error ?? new Error("the first sync failed"));
            });
        });
        await this.client.startClient({ initialSyncLimit: TIMELINE_LIMIT, lazyLoadMembers: false });
        await ready;
    }
}
