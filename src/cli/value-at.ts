/** The value at a path such as `connections.open` in what JSON was read to; undefined when there is none. */
export function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, key) => {
    const isObject = typeof inner === "object" && inner !== null;
    return isObject ? Reflect.get(inner, key) : undefined;
  }, value);
}
