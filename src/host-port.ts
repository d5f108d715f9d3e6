/** Writes a TCP address as people do: `127.0.0.1:8000`, `[::1]:8000`. */
export function formatHostPort({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
