import { bytes, global, pickled, rebuilt, storage, text, u32 } from "../pickles.ts";
import { joined, type TestPart, unzipped, zipFile } from "../zip-file.ts";
import type { Random } from "./random.ts";

/** Numbers at which sizes and offsets go wrong. */
export const EDGES = [
  0,
  1,
  2,
  7,
  63,
  127,
  128,
  255,
  256,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 53,
  2 ** 63,
];

function setInteger(file: Uint8Array, at: number, length: number, value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  file.set(new Uint8Array(view.buffer, 0, Math.min(length, file.length - at)), at);
}

type Mutation = (file: Uint8Array, random: Random) => Uint8Array;

/** Damage that knows nothing of the format. */
export const BLIND: Readonly<Record<string, Mutation>> = {
  truncated: (file, random) => file.slice(0, random.below(file.length)),
  "bits flipped": (file, random) => {
    const out = file.slice();
    for (let n = 1 + random.below(8); n > 0; n--) out[random.below(out.length)] ^= 1 << random.below(8);
    return out;
  },
  "bytes changed": (file, random) => {
    const out = file.slice();
    const at = random.below(out.length);
    for (let i = at; i < Math.min(out.length, at + 1 + random.below(16)); i++) {
      out[i] = random.pick([0, 255, 127, 128, random.below(256)]);
    }
    return out;
  },
  "a number changed": (file, random) => {
    const out = file.slice();
    setInteger(out, random.below(out.length), random.pick([1, 2, 4, 8]), random.pick(EDGES));
    return out;
  },
  "a piece moved": (file, random) => {
    const [a, b, c] = [0, 0, 0].map(() => random.below(file.length)).sort((x, y) => x - y);
    const [head, first, second, tail] = [file.slice(0, a), file.slice(a, b), file.slice(b, c), file.slice(c)];
    const repeated = [head, first, first, second, tail];
    return joined(random.pick([[head, second, first, tail], [head, second, tail], repeated]));
  },
};

/** Pieces of pickles that attack. */
const HOSTILE: readonly ((random: Random) => Uint8Array)[] = [
  () => bytes(global("os", "system"), text("false"), 0x85, "R"),
  () => bytes(global("builtins", "eval"), text("1"), 0x85, "R"),
  () => bytes(0x8c, 2, "os", 0x8c, 6, "system", 0x93, ")R"),
  () => bytes("}", text("__proto__"), "}", text("polluted"), 0x88, "ss"),
  (random) => bytes(...new Array(random.below(3000)).fill("]"), ...new Array(random.below(3000)).fill("a")),
  (random) => bytes("]r", u32(random.pick(EDGES) | 0), "j", u32(random.pick(EDGES) | 0), "a"),
  (random) => bytes(0x8b, u32(random.pick(EDGES) | 0)),
  (random) => bytes(0x58, u32(random.pick(EDGES) | 0)),
  () => bytes("]q", 0, "h", 0, "a"),
  () => bytes("}q", 0, text("k"), "h", 0, "s"),
  (random) => bytes(...Array.from({ length: random.below(60) }, (_, i) => bytes("]q", i, "(h", i, "h", i, "e"))),
  (random) =>
    storage(
      String(random.below(20)),
      random.pick(EDGES) | 0,
      random.pick(["FloatStorage", "CharStorage", "UntypedStorage", "Size"]),
    ),
  (random) =>
    rebuilt(
      storage("0", random.pick([1, 4, 6, 100, 2 ** 31 - 1])),
      random.pick(EDGES) | 0,
      Array.from({ length: random.below(5) }, () => random.pick(EDGES) | 0),
      Array.from({ length: random.below(5) }, () => random.pick(EDGES) | 0),
    ),
  (random) =>
    bytes(
      global("collections", random.pick(["OrderedDict", "Counter", "defaultdict"])),
      random.pick([")", "](Ne", "}"]),
      0x85,
      "R",
    ),
  (random) => bytes(global("numpy", "dtype"), text(random.pick(["f4", "O", "i8", ">f4", "constructor"])), 0x85, "R}b"),
  (random) => Uint8Array.from({ length: random.below(40) }, () => random.below(256)),
];

/** Damage to the pickle itself, the checksums around it being right. */
function pickleDamage(pickle: Uint8Array, random: Random): Uint8Array {
  const kind = random.below(4);
  if (kind === 0) return pickled(...Array.from({ length: 1 + random.below(6) }, () => random.pick(HOSTILE)(random)));
  if (kind === 1) {
    const at = random.below(pickle.length);
    return joined([pickle.slice(0, at), random.pick(HOSTILE)(random), pickle.slice(at)]);
  }
  return random.pick(Object.values(BLIND))(pickle, random);
}

const NAMES = [
  "../../etc/passwd",
  "/etc/passwd",
  "C:\\x",
  "archive/../x",
  "",
  "__proto__",
  "a\0b",
  "archive/data/0",
  "x/data.pkl",
  "archive/constants.pkl",
];

/** Deflates with the platform's own stream. */
export async function deflate(content: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([content as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Damage to the directory of a zip file, and to what lies in it. */
export async function zipDamage(file: Uint8Array, random: Random): Promise<Uint8Array> {
  const parts: TestPart[] = unzipped(file);
  const kind = random.below(8);
  const pickle = parts.find(({ name }) => name.endsWith("data.pkl"))!;
  if (kind < 4) pickle.content = pickleDamage(pickle.content, random);
  if (kind === 3 || kind === 4) {
    const part = random.pick(parts);
    const field = random.pick(["method", "flags", "crc", "size", "storedSize", "start"] as const);
    part[field] = random.pick([...EDGES, part.content.length + random.pick([-1, 1])].filter((n) => n < 2 ** 32));
  }
  if (kind === 5) random.pick(parts).name = random.pick(NAMES);
  if (kind === 6) {
    const part = random.pick(parts);
    // zeros deflate a thousandfold
    const content = random.below(2) ? new Uint8Array(random.pick([10, 1e4, 1e6])) : part.content;
    Object.assign(part, {
      content: await deflate(content),
      method: 8,
      size: random.pick([content.length, part.content.length, 1e9]),
      crc: 0,
    });
  }
  const field = random.pick(["count", "size", "offset"] as const);
  return zipFile(parts, kind === 7 ? { [field]: random.pick(EDGES.filter((n) => n < 2 ** 32)) } : {});
}

/** Damage to the pickles of a file of the old format, behind its magic number. */
export function legacyDamage(file: Uint8Array, random: Random): Uint8Array {
  return joined([file.slice(0, 15), pickleDamage(file.slice(15), random)]);
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
const STRANGE: readonly Json[] = [
  null,
  true,
  -1,
  0.5,
  1e300,
  2 ** 53,
  "F8_E4M3",
  "F32",
  [],
  {},
  [-1, 4],
  [0, 0],
  [8, 4],
  [0, 1e15],
  "x",
];

/** Changes one place of a JSON value. */
function jsonDamage(value: Json, random: Random): Json {
  if (typeof value !== "object" || value === null || random.below(4) === 0) {
    return typeof value === "number" && random.below(2)
      ? value + random.pick([-8, -4, -1, 1, 4, 8])
      : random.pick(STRANGE);
  }
  if (Array.isArray(value)) {
    const at = random.below(value.length + 1);
    return [
      ...value.slice(0, at),
      ...(at < value.length ? [jsonDamage(value[at], random)] : []),
      ...value.slice(at + 1),
    ];
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return random.pick(STRANGE);
  const at = random.below(entries.length);
  const [key, inner] = entries[at];
  const choice = random.below(6);
  if (choice === 0) entries.splice(at, 1);
  else if (choice === 1) entries[at] = [random.pick(["__proto__", "__metadata__", "constructor", ""]), inner];
  else if (choice === 2) entries.push([`${key}2`, inner]);
  else entries[at] = [key, jsonDamage(inner, random)];
  return Object.fromEntries(entries);
}

/** Damage to the header of a safetensors file. */
export function safetensorsDamage(file: Uint8Array, random: Random): Uint8Array {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Json;
  let json = JSON.stringify(jsonDamage(header, random));
  if (random.below(20) === 0) json = "[".repeat(random.below(5000)) + json;
  const encoded = new TextEncoder().encode(json);
  const out = joined([new Uint8Array(8), encoded, file.subarray(8 + length)]);
  setInteger(out, 0, 8, random.below(10) === 0 ? random.pick(EDGES) : encoded.length);
  return out;
}
