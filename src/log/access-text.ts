/**
 * Limits of what a peer may put into one line. A field may double while it is escaped, so the
 * longest line stays below PIPE_BUF and is never torn by another process.
 */
export const FIELD_LIMITS = {
  target: 1024,
  userAgent: 256,
  referer: 256,
  client: 64,
  method: 32,
} as const;

const ELLIPSIS = "…";
/** The most an escaped character takes, as in `\u001f`. */
const WORST_GROWTH = 6;

/** Cuts what is too long, marked with an ellipsis, and escapes it; the result has at most about twice `limit` characters. */
export function fit(text: string, limit: number, escape: (text: string) => string): string {
  const escaped = escape(cut(text, limit));
  if (escaped.length <= 2 * limit) return escaped;
  return escape(cut(text, Math.floor((2 * limit) / WORST_GROWTH) - 1));
}

/** Escapes as nginx does, `\xHH` for quotes, backslashes, control characters and bytes above ASCII. */
export function escapeHex(text: string): string {
  return PLAIN.test(text) ? text : text.replace(SPECIAL, hexOf);
}

/** Escapes the inside of a JSON string; what is not ASCII becomes `\uHHHH`. */
export function escapeJson(text: string): string {
  if (PLAIN.test(text)) return text;
  return JSON.stringify(text).slice(1, -1).replace(NOT_ASCII, unicodeOf);
}

/** ASCII that prints, without quotes and backslashes. */
const PLAIN = /^[ !#-[\]-~]*$/;
const SPECIAL = /[^ !#-[\]-~]/g;
const NOT_ASCII = /[^ -~]/g;

function cut(text: string, limit: number): string {
  return text.length > limit ? text.slice(0, limit) + ELLIPSIS : text;
}

function hexOf(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff
    ? unicodeOf(character)
    : `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

function unicodeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
