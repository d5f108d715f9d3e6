export const GET = ({ params }) => new Response(`hello ${params.name}`);
