// Keeps stdout for the protocol alone. Imported first: the SDK and its wasm bind console methods when they load.
console.warn = console.error;
for (const chatter of ["log", "info", "debug", "trace"]) console[chatter] = () => {};
