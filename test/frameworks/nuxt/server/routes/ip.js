export default defineEventHandler((event) => getRequestIP(event, { xForwardedFor: true }));
