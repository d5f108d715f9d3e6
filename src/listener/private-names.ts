import { createHash, randomInt } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { HASH_LENGTH, PREFIX, RANDOM_LENGTH, TEMPORARY_NAME_BYTES } from "./private-name-parts.ts";

/** A fresh private name beside a public path: the socket is bound there, out of nginx's sight. */
export function choosePrivatePath(publicPath: string): string {
  const random = randomInt(36 ** RANDOM_LENGTH)
    .toString(36)
    .padStart(RANDOM_LENGTH, "0");
  return join(dirname(publicPath), privatePrefixOf(publicPath) + random);
}

/** Whether a file name is a private name that an Outrigger made for this public path. */
export function isPrivateNameOf(publicPath: string, name: string): boolean {
  return name.length === TEMPORARY_NAME_BYTES && name.startsWith(privatePrefixOf(publicPath));
}

function privatePrefixOf(publicPath: string): string {
  const digest = createHash("sha256").update(basename(publicPath)).digest("hex");
  return PREFIX + digest.slice(0, HASH_LENGTH);
}
