export const loader = ({ params }) => new Response(`hello ${params.name}`);
