/** Lines but for the first one are moved to the right. */
function indent(text: string): string {
  return text.split("\n").join("\n  ");
}

/** A module as PyTorch prints it: its name, and in parentheses what is to be said of it and its children. */
export function moduleString(name: string, extra: string, children: readonly string[]): string {
  const lines = [...(extra ? extra.split("\n") : []), ...children.map(indent)];
  if (children.length === 0 && lines.length <= 1) return `${name}(${extra})`;
  return `${name}(\n  ${lines.join("\n  ")}\n)`;
}
