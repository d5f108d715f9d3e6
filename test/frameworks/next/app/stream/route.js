import { parts } from "./parts.js";

export const dynamic = "force-dynamic";

export function GET() {
  return new Response(parts());
}
