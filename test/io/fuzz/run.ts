import { readFileSync } from "node:fs";
import { CheckpointError, DataError, data, io, memoryUsage, nn, Tensor } from "evenkeel";
import { BLIND, legacyDamage, safetensorsDamage, zipDamage } from "./mutate.ts";
import { jpegDamage, pngDamage } from "./mutate-images.ts";
import { Random } from "./random.ts";

const FORMATS = ["safetensors", "zip", "legacy", "png", "jpeg"] as const;
type Format = (typeof FORMATS)[number];

/** A sound file, from which damaged ones are made. */
interface Seed {
  readonly name: string;
  readonly format: Format;
  readonly bytes: Uint8Array;
}

/** One damaged file, and what became of it. */
export interface Case {
  readonly index: number;
  readonly seed: Seed;
  readonly kind: string;
  readonly bytes: Uint8Array;
}

export interface Outcome extends Case {
  /** read (the damage did not show), refused with the error that the reader has for it, or what must not be */
  readonly result: "read" | "refused" | "WRONG";
  readonly why: string;
  readonly milliseconds: number;
}

const GOLDEN: readonly [string, Format][] = [
  ...["1.13", "2.13"].flatMap((version): [string, Format][] => [
    [`${version}/bn.pt`, "zip"],
    [`${version}/dtypes.pt`, "zip"],
    [`${version}/views.pt`, "zip"],
    [`${version}/trainer.pth`, "zip"],
    [`${version}/protocol4.pt`, "zip"],
    [`${version}/legacy.pth`, "legacy"],
    [`${version}/legacy-views.pth`, "legacy"],
  ]),
  ["2.13/dtypes.safetensors", "safetensors"],
];

/** Images of the golden numbers that differ in how they are coded. */
const IMAGES =
  /^(PNG, (RGB|LA|palette|palette with transparency|grey, 2 bits|RGB, interlaced)|JPEG, (4:2:0|progressive|restarts|grey)), (?:(unchanged|rgb))$/;

function images(file: string): Seed[] {
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: { name: string; file: string }[] };
  return cases
    .filter(({ name }) => IMAGES.test(name))
    .map(({ name, file: text }) => ({
      name,
      format: name.startsWith("PNG") ? "png" : "jpeg",
      bytes: Uint8Array.from(Buffer.from(text, "base64")),
    }));
}

/** Files of PyTorch, of safetensors, of our own, and images. @param golden where the golden numbers lie */
export async function sounds(golden: string): Promise<Seed[]> {
  const state = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4)).stateDict();
  const own = async (format: "safetensors" | "torch"): Promise<Seed> => ({
    name: `ours (${format})`,
    format: format === "torch" ? "zip" : format,
    bytes: await io.save(null, state, { format }),
  });
  const files = GOLDEN.map(([name, format]) => ({
    name,
    format,
    bytes: new Uint8Array(readFileSync(`${golden}/checkpoints/${name}`)),
  }));
  const seeds = [...files, await own("safetensors"), await own("torch"), ...images(`${golden}/images.json`)];
  for (const tensor of state.values()) tensor.dispose();
  return seeds;
}

const KNOWING = {
  zip: zipDamage,
  legacy: legacyDamage,
  safetensors: safetensorsDamage,
  png: pngDamage,
  jpeg: jpegDamage,
};

/** The case of a number: half of the damage knows the format, half does not. Formats come equally often. */
export async function caseOf(seeds: readonly Seed[], run: number, index: number): Promise<Case> {
  const random = new Random(run, index);
  const format = random.pick(FORMATS);
  const seed = random.pick(seeds.filter((one) => one.format === format));
  if (random.below(2)) {
    return { index, seed, kind: "format known", bytes: await KNOWING[format](seed.bytes, random) };
  }
  const kind = random.pick(Object.keys(BLIND));
  return { index, seed, kind, bytes: BLIND[kind](seed.bytes, random) };
}

/** All tensors in a value. */
function tensorsIn(value: unknown, seen = new Set<unknown>()): Tensor[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return [];
  seen.add(value);
  if (value instanceof Tensor) return [value];
  const inner = value instanceof Map ? [...value.values()] : Object.values(value);
  return inner.flatMap((item) => tensorsIn(item, seen));
}

const held = () => {
  const { pinned, scoped, program, tensors } = memoryUsage();
  return { bytes: pinned + scoped + program, tensors };
};

/** A file that takes longer hangs: the slowest refusal is of a compressed bomb. */
const MOST_MILLISECONDS = 2000;

/** Images may be this large, so that what a small file of one colour unfolds to does not slow the run down. */
const MOST_PIXELS = 1e6;

/** Reads a damaged file and judges what comes of it. */
export async function judge(one: Case): Promise<Outcome> {
  const before = held();
  const start = performance.now();
  let result: Outcome["result"] = "read";
  let why = "";
  let value: unknown;
  const isImage = one.seed.format === "png" || one.seed.format === "jpeg";
  try {
    value = isImage ? await data.decodeImage(one.bytes, { maxPixels: MOST_PIXELS }) : await io.load<object>(one.bytes);
  } catch (error) {
    result = error instanceof (isImage ? DataError : CheckpointError) ? "refused" : "WRONG";
    why = String(error instanceof Error && result === "WRONG" ? error.stack : error);
  }
  const milliseconds = performance.now() - start;
  const bytes = held().bytes - before.bytes;
  for (const tensor of tensorsIn(value)) tensor.dispose();
  const wrong = (what: string) => {
    result = "WRONG";
    why = what;
  };
  // int8 becomes int32, and what is compressed may grow a hundredfold.
  if (bytes > (isImage ? 4 * MOST_PIXELS : 400 * one.bytes.length))
    wrong(`${bytes} bytes of tensors from ${one.bytes.length}`);
  // Fewer: the collector found tensors that other tests of this process had lost.
  if (held().tensors > before.tensors) wrong(`${held().tensors - before.tensors} tensors were left behind`);
  if (milliseconds > MOST_MILLISECONDS) wrong(`it took ${milliseconds.toFixed(0)} ms`);
  if (Object.keys(Object.prototype).length || "polluted" in {}) wrong("Object.prototype was changed");
  return { ...one, result, why, milliseconds };
}
