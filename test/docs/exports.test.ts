import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync } from "vite";
import { expect, test } from "vitest";

/** A declaration that the package gives to its users. */
interface Declared {
  place: string;
  /** the text of the comment before it */
  doc: string;
  /** types, and errors, whose names say all */
  needsNoExample: boolean;
}

type Exports = Map<string, Declared | Exports>;
type Tree = ReturnType<typeof parseSync>["program"]["body"][number];
type Name = { name?: string; value?: unknown };

const nameOf = (node: Name) => String(node.name ?? node.value);
const cache = new Map<string, Exports>();

/** Everything that a module exports, through re-exports down to where it is declared. */
function exportsOf(file: string): Exports {
  const known = cache.get(file);
  if (known) return known;
  const found: Exports = new Map();
  cache.set(file, found);
  const text = readFileSync(file, "utf8");
  const { program, comments } = parseSync(file, text, { lang: "ts" });
  const from = (source: { value: string }) => exportsOf(join(dirname(file), source.value));

  /** All names at the module's top level, imported ones too. */
  const local: Exports = new Map();
  const declare = (names: string[], start: number, needsNoExample: boolean) => {
    const comment = comments.find(
      ({ type, end }) => type === "Block" && end <= start && !text.slice(end, start).trim(),
    );
    const doc = comment?.value.startsWith("*") ? comment.value : "";
    const place = `${file}:${text.slice(0, start).split("\n").length}`;
    for (const name of names) if (!local.has(name) || doc) local.set(name, { place, doc, needsNoExample });
  };
  const declared = (node: Tree | null, start: number): string[] => {
    if (!node) return [];
    const names =
      node.type === "VariableDeclaration"
        ? node.declarations.map(({ id }) => nameOf(id as Name))
        : "id" in node && node.id
          ? [nameOf(node.id as Name)]
          : [];
    const isType = node.type === "TSInterfaceDeclaration" || node.type === "TSTypeAliasDeclaration";
    declare(names, start, isType || names.every((name) => name.endsWith("Error")));
    return names;
  };
  const set = (name: string, value: Declared | Exports | undefined) => {
    if (!value) throw new Error(`${file}: cannot find where ${name} is declared`);
    found.set(name, value);
  };

  for (const node of program.body) {
    if (node.type === "ImportDeclaration" && node.source.value.startsWith(".")) {
      for (const specifier of node.specifiers) {
        const value =
          specifier.type === "ImportSpecifier" ? from(node.source).get(nameOf(specifier.imported)) : from(node.source);
        if (value) local.set(specifier.local.name, value);
      }
    } else declared(node, node.start);
  }
  for (const node of program.body) {
    if (node.type === "ExportAllDeclaration") {
      if (node.exported) found.set(nameOf(node.exported), from(node.source));
      else for (const [name, value] of from(node.source)) found.set(name, value);
    } else if (node.type === "ExportNamedDeclaration") {
      for (const name of declared(node.declaration as Tree | null, node.start)) set(name, local.get(name));
      const scope = node.source ? from(node.source) : local;
      for (const { exported, local: inner } of node.specifiers) set(nameOf(exported), scope.get(nameOf(inner)));
    }
  }
  return found;
}

function* declarations(exported: Exports, prefix: string): Generator<[name: string, declared: Declared]> {
  for (const [name, value] of exported) {
    if (value instanceof Map) yield* declarations(value, `${prefix}${name}.`);
    else yield [`${prefix}${name}`, value];
  }
}

const targets = Object.entries<{ types?: string }>(JSON.parse(readFileSync("package.json", "utf8")).exports);
const entries = targets
  .filter(([, target]) => target.types)
  .map(([name, { types }]) => [name, types!.replace("./dist/", "src/").replace(".d.ts", ".ts")]);

test.each(entries)("every export of %s (%s) is documented, and has an example if it is no type or error", (_, file) => {
  const lacking = [...declarations(exportsOf(file), "")]
    .filter(([, { doc, needsNoExample }]) => !doc || (!needsNoExample && !doc.includes("@example")))
    .map(([name, { place, doc }]) => [place, `${name} (${place}) has no ${doc ? "@example" : "JSDoc"}`] as const);
  // A declaration that is exported under several names is reported once.
  expect([...new Map(lacking).values()]).toEqual([]);
});
