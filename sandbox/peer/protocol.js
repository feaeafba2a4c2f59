// The JSON-lines protocol: requests in on stdin, answers and unsolicited events out on stdout.
import { createInterface } from "node:readline";

/** Writes one line to the controlling program. */
export function emit(message) {
    process.stdout.write(JSON.stringify(message) + "\n");
}

/** What the controlling program learns of a failure: Matrix's own error code where there is one. */
function describe(error) {
    return {
        message: error?.message ?? String(error),
        errcode: error?.errcode ?? error?.data?.errcode ?? null,
        status: error?.httpStatus ?? error?.status ?? null,
    };
}

/**
 * Answers `{"id", "client", "do", "args"}` lines with `{"id", "ok"}` or `{"id", "error"}` until stdin ends.
 * Requests run side by side; `handle(client, verb, args)` returns (a promise of) the answer.
 */
export async function serve(handle) {
    for await (const line of createInterface({ input: process.stdin })) {
        if (!line.trim()) continue;
        const { id, client, do: verb, args } = JSON.parse(line);
        Promise.resolve()
            .then(() => handle(client, verb, args ?? {}))
            .then((answer) => emit({ id, ok: answer ?? null }))
            .catch((error) => emit({ id, error: describe(error) }));
    }
}
