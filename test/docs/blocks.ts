import { readdirSync, readFileSync } from "node:fs";
import { parseSync } from "vite";

/** A ```ts block of the documentation. */
export interface Block {
  /** the file that it stands in */
  file: string;
  /** the number of its first line there */
  line: number;
  code: string;
}

const FENCE = /^([ \t]*(?:\* ?)?)```ts\n(.*?)^[ \t]*(?:\* ?)?```[ \t]*$/gms;

/** The ```ts blocks of a file, without the stars of the comment around them. */
export function blocksOf(file: string): Block[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(FENCE)].map((match) => ({
    file,
    line: text.slice(0, match.index).split("\n").length + 1,
    code: match[2].replace(/^[ \t]*\* ?/gm, ""),
  }));
}

/** All TypeScript files below src/ that are written by hand. */
export function sourceFiles(): string[] {
  return readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.includes("generated"))
    .map((file) => `src/${file}`);
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

/** Every statement of a syntax tree that may carry an expectation, at any depth. */
function statementsOf(node: unknown): Node[] {
  if (Array.isArray(node)) return node.flatMap(statementsOf);
  if (typeof node !== "object" || node === null) return [];
  const own = /^(ExpressionStatement|VariableDeclaration)$/.test((node as Node).type) ? [node as Node] : [];
  return [...own, ...Object.values(node).flatMap(statementsOf)];
}

/**
 * The block as a program that checks what its comments promise. After a statement, on its line or on the next,
 * `// => value` is the value of an expression, of the variable just declared or of what console.log prints, and
 * `// throws text` is a part of the error; lines of comment that are indented by three or more go on with it.
 */
export function withChecks({ file, line, code }: Block): string {
  const { program, comments, errors } = parseSync("example.ts", code, { lang: "ts" });
  if (errors.length > 0) throw new Error(`${file}:${line}: ${errors[0].message}`);
  const statements = statementsOf(program.body);
  const edits: { start: number; end: number; text: string }[] = [];
  for (const [i, comment] of comments.entries()) {
    const [, kind, first] = /^ ?(=>|throws) (.*)/.exec(comment.value) ?? [];
    if (comment.type !== "Line" || !kind) continue;
    const lines = [first];
    for (let next = i + 1; /^ {3,}/.test(comments[next]?.value ?? ""); next++) lines.push(comments[next].value.trim());
    const where = `${file}:${line + code.slice(0, comment.start).split("\n").length - 1}`;
    const before = statements.filter(
      (node) => node.end <= comment.start && !code.slice(node.end, comment.start).trim(),
    );
    const statement = before.at(-1);
    if (!statement) throw new Error(`${where}: "// ${kind}" follows no statement`);
    const source = code.slice(statement.start, statement.end);
    const args = [where, lines.join("\n")].map((text) => JSON.stringify(text)).join(", ");
    edits.push({ start: statement.start, end: statement.end, text: checked(kind, source, statement, code, args) });
  }
  let text = code;
  for (const { start, end, text: replacement } of edits.reverse()) {
    text = text.slice(0, start) + replacement + text.slice(end);
  }
  return text;
}

function checked(kind: string, source: string, statement: Node, code: string, args: string): string {
  if (kind === "throws") return `await $throws(async () => { ${source} }, ${args});`;
  if (statement.type === "VariableDeclaration") {
    const { name } = (statement.declarations as { id: { name: string } }[])[0].id;
    return `${source} $equals(${name}, ${args});`;
  }
  const { start, end } = statement.expression as Node;
  const printed = /^console\.log\((.*)\)$/s.exec(code.slice(start, end));
  return printed ? `$prints([${printed[1]}], ${args});` : `$equals(${code.slice(start, end)}, ${args});`;
}
