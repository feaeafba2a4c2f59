// The time that all clients of this process live by: now, or later. Imported before the SDK, whose wasm asks for it, too.
const now = Date.now.bind(Date);
let ahead = 0;

Date.now = () => now() + ahead;

/** So many milliseconds pass at once, as if everybody had slept. */
export function pass(ms) {
    ahead += ms;
}
