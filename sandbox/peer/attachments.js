// Encrypted attachments: the EncryptedFile object of the client-server API ("Sending encrypted attachments", v2).
const { subtle } = globalThis.crypto;
const unpadded = (bytes) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");
const counter = (iv) => ({ name: "AES-CTR", counter: iv, length: 64 });
const sha256 = async (bytes) => unpadded(await subtle.digest("SHA-256", bytes));

/** Encrypts `bytes`; returns the ciphertext and the EncryptedFile without its url. */
export async function encrypt(bytes) {
    const iv = new Uint8Array(16);
    globalThis.crypto.getRandomValues(iv.subarray(0, 8)); // the low half counts blocks and starts at zero
    const key = await subtle.generateKey({ name: "AES-CTR", length: 256 }, true, ["encrypt", "decrypt"]);
    const ciphertext = new Uint8Array(await subtle.encrypt(counter(iv), key, bytes));
    const { k } = await subtle.exportKey("jwk", key);
    return {
        ciphertext,
        file: {
            v: "v2",
            key: { kty: "oct", key_ops: ["encrypt", "decrypt"], alg: "A256CTR", k, ext: true },
            iv: unpadded(iv),
            hashes: { sha256: await sha256(ciphertext) },
        },
    };
}

/** Decrypts what an EncryptedFile describes; throws when the ciphertext is not the one that was hashed. */
export async function decrypt(ciphertext, file) {
    if ((await sha256(ciphertext)) !== file.hashes.sha256.replace(/=+$/, "")) throw new Error("attachment hash differs");
    const key = await subtle.importKey("jwk", file.key, { name: "AES-CTR" }, false, ["decrypt"]);
    return new Uint8Array(await subtle.decrypt(counter(Buffer.from(file.iv, "base64")), key, ciphertext));
}
