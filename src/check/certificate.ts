import type { CertificateFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

const DAY_MS = 86_400_000;
/** What is left of it should last until somebody has noticed. */
const SOON_DAYS = 7;

/** Whether an endpoint that speaks TLS can be served with the files it names, and for how long. */
export function checkCertificate({ endpoint: about, ...facts }: CertificateFacts): Finding {
  if (facts.problem !== undefined) return { level: "fail", about, text: facts.problem };
  const days = Math.floor(facts.expiresInMs / DAY_MS);
  if (days >= SOON_DAYS)
    return { level: "ok", about, text: `its certificate is good for ${days} days` };
  const change = "renew it: new files are taken over while the program runs";
  const text =
    facts.expiresInMs <= 0
      ? "its certificate has expired"
      : `its certificate expires in ${days === 1 ? "1 day" : `${days} days`}`;
  return { level: "warn", about, text, change };
}
