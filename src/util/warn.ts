const said = new Set<string>();

/** Says something on the console that is no error, the first time it comes up, as Python's warnings do. */
export function warnOnce(message: string): void {
  if (said.has(message)) return;
  said.add(message);
  console.warn(message);
}
