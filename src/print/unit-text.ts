/** Name of the unit, and of the user it runs as. */
export const DEFAULT_UNIT = "outrigger";
/** That of the workers of nginx on Debian. */
export const NGINX_GROUP = "www-data";

/** A percent sign begins a specifier. */
export function escapePercent(text: string): string {
  return text.replaceAll("%", "%%");
}

/** A dollar sign begins a variable, but only in a command. */
export function quoteArgument(word: string): string {
  return quoteWord(word.replaceAll("$", "$$$$"));
}

/** Blanks and the like take quotes. */
export function quoteWord(word: string): string {
  const plain = escapePercent(word);
  return /[\s"'\\;]/.test(plain) ? `"${plain.replaceAll(/["\\]/g, "\\$&")}"` : plain;
}
