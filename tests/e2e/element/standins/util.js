// The part of Node's `util` that is used.
export const isArray = Array.isArray;
export const isDate = (value) => value instanceof Date;
