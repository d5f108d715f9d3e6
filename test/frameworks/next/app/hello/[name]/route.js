export async function GET(_request, { params }) {
  return new Response(`hello ${(await params).name}`);
}
