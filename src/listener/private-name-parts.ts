/** What a private name is made of; here because who only checks a path needs no more of it. */
export const PREFIX = ".or";
export const HASH_LENGTH = 3;
export const RANDOM_LENGTH = 2;

/** Bytes of a private name: as short as `app.sock`, so that it fits wherever the public name does. */
export const TEMPORARY_NAME_BYTES: number = PREFIX.length + HASH_LENGTH + RANDOM_LENGTH;
