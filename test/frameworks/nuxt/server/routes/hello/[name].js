export default defineEventHandler((event) => `hello ${getRouterParam(event, "name")}`);
