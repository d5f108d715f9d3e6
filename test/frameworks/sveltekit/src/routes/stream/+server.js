import { parts } from "../../lib/parts.js";

export const GET = () => new Response(parts());
