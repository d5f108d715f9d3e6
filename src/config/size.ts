import { ValueError } from "./value-error.ts";

const UNITS = { Gi: 2 ** 30, Mi: 2 ** 20, Ki: 2 ** 10 } as const;

/** Reads `512Mi`, `2Gi`, `64Ki` (the units of Kubernetes) or `0` as bytes. */
export function parseSize(text: string): number {
  if (text === "0") return 0;
  const match = /^(\d+)(Ki|Mi|Gi)$/.exec(text);
  const bytes = match && Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (bytes !== null && Number.isSafeInteger(bytes)) return bytes;
  throw new ValueError(text, "expected a size such as 512Mi or 2Gi");
}

/** Writes bytes in the largest unit that divides them; the inverse of `parseSize`. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return "0";
  const unit = Object.entries(UNITS).find(([, size]) => bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
}
