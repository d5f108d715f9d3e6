export const loader = ({ request }) => new Response(request.headers.get("x-forwarded-for"));
