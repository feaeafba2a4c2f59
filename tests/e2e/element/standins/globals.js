// What libraries that were written for Node expect to be there.
export { Buffer } from "buffer/";
export const process = { browser: true, env: {}, nextTick: queueMicrotask.bind(window), version: "" };
