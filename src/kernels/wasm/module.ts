import { platform } from "#platform";
import { EnvironmentError } from "../../util/errors.ts";
import type { Pointer } from "../backend.ts";
import { heap } from "../heap.ts";
import { alphabet, sizes, text, turns } from "./generated/builds.ts";

/** Which build of the kernels: plain 128-bit SIMD, or with relaxed SIMD's fused multiply-add. */
export type SimdBuild = "base" | "relaxed";

/**
 * Address of ARGUMENT_BYTES for small argument blocks (sizes and strides). The heap's first page is the modules': scripts/build-kernels.mjs
 * keeps their static data below this. A block lives for one call.
 */
export const ARGUMENTS: Pointer = 32768;

const HEADER = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0];
const SPLAT = [65, 0, 253, 15];
/** () → v128, of one i8x16.splat */
const BASE_PROBE = Uint8Array.from([...HEADER, 10, 8, 1, 6, 0, ...SPLAT, 11]);
/** () → v128, of three splats and an f32x4.relaxed_madd */
const RELAXED_PROBE = Uint8Array.from([...HEADER, 10, 19, 1, 17, 0, ...SPLAT, ...SPLAT, ...SPLAT, 253, 133, 2, 11]);

/** Whether this runtime can run the build. */
export function supportsSimd(build: SimdBuild): boolean {
  if (build === "base") return WebAssembly.validate(BASE_PROBE);
  platform.enableRelaxedSimd();
  return WebAssembly.validate(RELAXED_PROBE);
}

/** Bytes of an argument block, and of the scratch memory that most kernels need. */
export const ARGUMENT_BYTES = 32768;

/** The import of the memory up to its kind: "env", "memory", 2. */
const MEMORY_IMPORT = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2];

/** Says in the module that the memory it imports is shared: a flag of the limits, which follow the import's kind. */
function declareShared(bytes: Uint8Array): void {
  const at = bytes.findIndex((_, start) => MEMORY_IMPORT.every((byte, i) => bytes[start + i] === byte));
  bytes[at + MEMORY_IMPORT.length] |= 2;
}

/** The bytes of a build from the text, in which the builds lie in turns, and the alphabet has each byte's character at its place. */
function decode(build: SimdBuild): Uint8Array<ArrayBuffer> {
  const byteOf = new Uint8Array(512);
  for (let byte = 0; byte < alphabet.length; byte++) byteOf[alphabet.charCodeAt(byte)] = byte;
  const bytes = new Uint8Array(sizes[build]);
  let from = 0;
  let to = 0;
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, size] of Object.entries(sizes)) {
      const end = from + Math.floor((size * (turn + 1)) / turns) - Math.floor((size * turn) / turns);
      if (name === build) while (from < end) bytes[to++] = byteOf[text.charCodeAt(from++)];
      from = end;
    }
  }
  return bytes;
}

/**
 * A build, compiled for the heap.
 * @throws EnvironmentError when the runtime lacks the instructions
 */
export function compile(build: SimdBuild): WebAssembly.Module {
  if (!supportsSimd(build)) {
    throw new EnvironmentError(
      `this JavaScript runtime has no ${build === "base" ? "WebAssembly SIMD" : "WebAssembly relaxed SIMD"}`,
      build === "base" ? "set EVENKEEL_BACKEND=reference" : "set EVENKEEL_SIMD=base",
    );
  }
  const bytes = decode(build);
  if (heap.shared) declareShared(bytes);
  return new WebAssembly.Module(bytes);
}
