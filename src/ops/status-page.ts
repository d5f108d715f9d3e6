import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** The page of `/status` and the headers that hold it to what it is. */
export interface StatusPage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Creates a function that reads the page the build made beside this module, once. */
export function createPageReader(
  file: URL = new URL("page.html", import.meta.url),
): () => Promise<StatusPage> {
  let page: StatusPage | undefined;
  return async () => (page ??= describePage(await readFile(file, "utf8")));
}

/** Adds to a page the policy that allows its own script and style, requests to its own origin, and nothing else. */
export function describePage(html: string): StatusPage {
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(html, "script")}`,
    `style-src ${hashOf(html, "style")}`,
    // The icon.
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // No text can become markup: not even our own script may write HTML.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    html,
    headers: {
      "Content-Security-Policy": policy.join("; "),
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Resource-Policy": "same-origin",
    },
  };
}

/** The source expression that allows the one element of this name, and no other. */
function hashOf(html: string, element: "script" | "style"): string {
  const found = [...html.matchAll(new RegExp(`<${element}[^>]*>(.*?)</${element}>`, "gs"))];
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Error(`Cannot use the status page: expected one <${element}>, found ${found.length}`);
  return `'sha256-${createHash("sha256")
    .update(only[1] ?? "")
    .digest("base64")}'`;
}
