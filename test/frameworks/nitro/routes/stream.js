export default defineEventHandler((event) => sendStream(event, parts()));
