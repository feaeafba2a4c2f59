// Verification by emoji, as a person does it who clicks through the client's dialog. One at a time for each account.
import { VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

const SAS = "m.sas.v1";
const underWay = new WeakMap(); // account → { request, sas, finished }

const phaseOf = ({ phase }) => VerificationPhase[phase].toLowerCase();

/** Resolves when the request is in one of these phases, or over. */
async function until(request, ...phases) {
    const there = () => [...phases, VerificationPhase.Cancelled, VerificationPhase.Done].includes(request.phase);
    while (!there()) await new Promise((changed) => request.once(VerificationRequestEvent.Change, changed));
    if (!phases.includes(request.phase)) throw new Error(`the verification is ${phaseOf(request)}: ${request.cancellationCode}`);
}

async function begin(account, request) {
    await until(request, VerificationPhase.Ready);
    const verifier = await request.startVerification(SAS);
    const shown = new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
    const finished = verifier.verify().then(
        () => "done",
        (error) => `cancelled: ${request.cancellationCode ?? error.message}`,
    );
    const sas = await Promise.race([shown, finished]);
    if (typeof sas === "string") throw new Error(`the verification is ${sas}`);
    underWay.set(account, { request, sas, finished });
    return { emoji: sas.sas.emoji.map(([symbol, name]) => `${symbol} ${name}`), numbers: sas.sas.decimal };
}

export const verification = {
    /** Asks a user in a room, or one device of theirs; the emoji that this client then shows. */
    async verifyInRoom(account, { user, room }) {
        return begin(account, await account.crypto.requestVerificationDM(user, room));
    },
    async verifyDevice(account, { user, device }) {
        return begin(account, await account.crypto.requestDeviceVerification(user, device));
    },
    /** What the person clicks: they match, or they don't. */
    confirmEmoji: (account) => underWay.get(account).sas.confirm(),
    denyEmoji: (account) => underWay.get(account).sas.mismatch(),
    /** How it ended, once it has: `done`, or `cancelled` with the code. */
    verificationEnd: (account) => underWay.get(account).finished,
    isVerified: async ({ crypto }, { user }) => (await crypto.getUserVerificationStatus(user)).isVerified(),
};
