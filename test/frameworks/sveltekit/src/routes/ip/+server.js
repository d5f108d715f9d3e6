export const GET = ({ getClientAddress }) => new Response(getClientAddress());
