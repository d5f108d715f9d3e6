import type { Config } from "../config/config.ts";
import type { Finding } from "./finding.ts";

const ABOUT = "/dev/shm";

/** Whether the counts of a killed worker survive it to the last. */
export function checkSharedMemory(
  { workers }: Config,
  hasSharedMemory: boolean,
): readonly Finding[] {
  if (workers === 0) return [];
  if (hasSharedMemory) return [{ level: "ok", about: ABOUT, text: "files can be made there" }];
  return [
    {
      level: "warn",
      about: ABOUT,
      text: "no file can be made there: a killed worker loses what it counted in its last second",
      change: "mount a tmpfs there",
    },
  ];
}
