import { parts } from "../parts.js";

export const loader = () => new Response(parts());
