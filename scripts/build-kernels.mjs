// Compiles assembly/ into the two WebAssembly builds and embeds both as a string in a TypeScript module, so that
// loading a kernel needs neither a file nor a request. (Each byte is one character: in base64 repeats no longer begin at whole characters, and it is 40 % longer once compressed. The builds lie in turns of a sixteenth
// each: then what they have in common is near enough for gzip, and both together take 85 KB instead of 128.) Does nothing when the output is newer than everything it is made from.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const outFolder = `${root}src/kernels/wasm/generated`;
const outFile = `${outFolder}/builds.ts`;
const TURNS = 16;

/*
 * Both builds may run on one heap, whose first page is theirs: base owns [1 KiB, 16 KiB), relaxed [16 KiB, 32 KiB), and the
 * upper half holds the argument blocks that the wrappers write (see src/kernels/wasm/module.ts).
 */
const BUILDS = [
  { name: "base", memoryBase: 1024, limit: 16384, flags: [] },
  { name: "relaxed", memoryBase: 16384, limit: 32768, flags: ["--enable", "relaxed-simd"] },
];
const FLAGS = [
  "-O3",
  "--runtime=stub",
  "--noAssert",
  "--enable=simd",
  "--importMemory",
  "--noExportMemory",
  "--initialMemory=1",
  "--maximumMemory=65536",
  "--disableWarning=112", // v128 as a parameter of functions that are not exported to JavaScript
];

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function isFresh() {
  const sources = readdirSync(`${root}assembly`).map((file) => `${root}assembly/${file}`);
  const newest = Math.max(...[...sources, fileURLToPath(import.meta.url)].map(modified));
  return modified(outFile) > newest;
}

/** export function name<T>(first: usize, second: T): void { */
const GENERIC_KERNEL = /^export function (\w+)<T>\(([^)]*)\): (\w+) \{$/gm;
const WIDTHS = [
  ["F32", "f32"],
  ["F64", "f64"],
];

/** What a source file of index.ts exports for T, exported for both widths as nameF32 and nameF64: only functions without T are kernels. */
function instances(source) {
  const functions = [...source.matchAll(GENERIC_KERNEL)].flatMap(([, name, list, result]) => {
    const parameters = list.split(",").map((parameter) => parameter.trim());
    const names = parameters.filter(Boolean).map((parameter) => parameter.split(":")[0]);
    const call = result === "void" ? "" : "return ";
    return WIDTHS.map(([suffix, type]) => {
      const typed = parameters.map((parameter) => parameter.replace(/: T$/, `: ${type}`)).join(", ");
      return `export function ${name}${suffix}(${typed}): ${result} { ${call}${name}<${type}>(${names.join(", ")}); }`;
    });
  });
  return functions.map((text) => `\n${text}`).join("");
}

const index = readFileSync(`${root}assembly/index.ts`, "utf8");
const kernelFiles = [...index.matchAll(/"\.\/(.+)"/g)].map(([, name]) => `assembly/${name}.ts`);

function readSource(file, folder) {
  const path = join(folder, file);
  if (!existsSync(path)) return null;
  // The decorator @inline stands in a comment: formatters know decorators of classes alone.
  const source = readFileSync(path, "utf8").replace(/^\/\/ @inline$/gm, "@inline");
  return kernelFiles.includes(file) ? source + instances(source) : source;
}

/**
 * The characters that spell bytes, each at the byte's place: printable ASCII for the most frequent, which are nine of ten, and letters of two bytes.
 * Compressed that is 10 % less than hexadecimal digits, 1 to 2 % more than the bytes themselves.
 */
function alphabetOf(binaries) {
  const counts = new Array(256).fill(0);
  for (const binary of binaries) for (const byte of binary) counts[byte]++;
  const byCount = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
    (c) => c !== '"' && c !== "\\",
  );
  const characters = [];
  for (const [i, byte] of byCount.entries()) characters[byte] = ascii[i] ?? String.fromCharCode(256 + i);
  return characters;
}

/** All binaries in turns, a part of each. */
function inTurns(binaries, characters) {
  let text = "";
  for (let turn = 0; turn < TURNS; turn++) {
    for (const binary of binaries) {
      const part = (i) => Math.floor((binary.length * i) / TURNS);
      for (const byte of binary.subarray(part(turn), part(turn + 1))) text += characters[byte];
    }
  }
  return text;
}

async function compile(asc, { name, memoryBase, limit, flags }) {
  let binary;
  const args = ["assembly/index.ts", "-o", `${name}.wasm`, `--memoryBase=${memoryBase}`, ...FLAGS, ...flags];
  const { error, stderr } = await asc.main([...args, `--baseDir=${root}`], {
    readFile: readSource,
    writeFile(_file, contents) {
      binary = contents;
    },
  });
  if (error) throw new Error(`${name}: ${error.message}\n${stderr}`);
  const end = dataEnd(new Uint8Array(binary));
  if (end > limit) throw new Error(`${name}: static data ends at ${end}, beyond its ${limit} bytes`);
  return new Uint8Array(binary);
}

function embed(binaries) {
  const characters = alphabetOf(binaries);
  const sizes = BUILDS.map(({ name }, i) => `  ${name}: ${binaries[i].length},`);
  const source = `/** The builds of assembly/: ${TURNS} parts of each in turns, every byte by its character. */
export const turns = ${TURNS};
/** Bytes. */
export const sizes = {
${sizes.join("\n")}
};
export const alphabet =
  "${characters.join("")}";
export const text =
  "${inTurns(binaries, characters)}";
`;
  // Renamed into place, so that a process that reads meanwhile never sees half a file.
  const unfinished = `${outFolder}/builds.${process.pid}.tmp`;
  writeFileSync(unfinished, source);
  renameSync(unfinished, outFile);
}

/** Where the static data ends: the largest offset + length of the active data segments. */
function dataEnd(bytes) {
  let at = 8;
  let end = 0;
  const unsigned = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const next = unsigned() + at;
    if (section === 11) {
      for (let count = unsigned(); count > 0; count--) {
        if (bytes[at++] !== 0) throw new Error("a data segment is not active");
        at++; // i32.const
        const offset = unsigned(); // non-negative and below 2 ** 31, and LEB128 pads the sign bit, so unsigned reads it
        at++; // end
        const length = unsigned();
        end = Math.max(end, offset + length);
        at += length;
      }
    }
    at = next;
  }
  return end;
}

if (!isFresh()) {
  const started = performance.now();
  const { default: asc } = await import("assemblyscript/asc");
  mkdirSync(outFolder, { recursive: true });
  const binaries = [];
  for (const build of BUILDS) binaries.push(await compile(asc, build));
  embed(binaries);
  const sizes = BUILDS.map(({ name }, i) => `${name} ${(binaries[i].length / 1024).toFixed(1)} KiB`);
  console.log(`kernels: ${sizes.join(", ")} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
