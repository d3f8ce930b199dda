import { tensor } from "../tensor/creation.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { DataError } from "../util/errors.ts";

/** Element types of the IDX format by their code. Big-endian in the file. */
const TYPES: Readonly<Record<number, { bytes: number; dtype: DType; read: (view: DataView, at: number) => number }>> = {
  8: { bytes: 1, dtype: "uint8", read: (view, at) => view.getUint8(at) },
  9: { bytes: 1, dtype: "int32", read: (view, at) => view.getInt8(at) },
  11: { bytes: 2, dtype: "int32", read: (view, at) => view.getInt16(at) },
  12: { bytes: 4, dtype: "int32", read: (view, at) => view.getInt32(at) },
  13: { bytes: 4, dtype: "float32", read: (view, at) => view.getFloat32(at) },
  14: { bytes: 8, dtype: "float64", read: (view, at) => view.getFloat64(at) },
};

/** A decompressed file of more bytes than this is refused: a gzip bomb, not a data set. */
const MOST_BYTES = 2 ** 31;

async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    for (const reader = source.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      total += value.length;
      if (total > MOST_BYTES) {
        await reader.cancel();
        throw new DataError(
          `${name} decompresses to more than ${MOST_BYTES} bytes`,
          "this is no data set that fits in memory",
        );
      }
      parts.push(value);
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(
      `${name} is gzip-compressed but damaged or cut short (${(error as Error).message})`,
      "download it again",
    );
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Reads an IDX file's bytes, gzipped or not: the format of MNIST. Returns a tensor of the file's sizes; signed bytes and shorts become int32.
 * @param name what error messages call the file
 * @throws DataError that says what was expected and what was found
 * @example
 * ```ts
 * import { data } from "evenkeel";
 * const bytes = new Uint8Array([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]);
 * (await data.parseIdx(bytes, "labels")).toArray(); // => [7, 9]
 * ```
 */
export async function parseIdx(bytes: Uint8Array, name = "the file"): Promise<Tensor> {
  const raw = bytes[0] === 0x1f && bytes[1] === 0x8b ? await gunzip(bytes, name) : bytes;
  const start = [...raw.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const type = TYPES[raw[2]];
  if (raw.length < 4 || raw[0] !== 0 || raw[1] !== 0 || !type || raw[3] === 0) {
    throw new DataError(
      `${name} is no IDX file: it begins with ${start || "nothing"}`,
      "expected 00 00, a type code (08 for bytes) and the number of dimensions, as in the files of MNIST",
    );
  }
  const rank = raw[3];
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const header = 4 + 4 * rank;
  if (raw.length < header) {
    throw new DataError(
      `${name} is cut short: its header has ${header} bytes, the file ${raw.length}`,
      "download it again",
    );
  }
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  const numel = shape.reduce((a, b) => a * b, 1);
  const expected = header + numel * type.bytes;
  if (raw.length !== expected) {
    const what = raw.length < expected ? "is cut short" : "is longer than its header says";
    throw new DataError(
      `${name} ${what}: its sizes [${shape.join(", ")}] take ${expected} bytes, the file has ${raw.length}`,
      "download it again",
    );
  }
  if (type.dtype === "uint8") return tensor(raw.subarray(header), { shape });
  const values = new Float64Array(numel);
  for (let i = 0; i < numel; i++) values[i] = type.read(view, header + i * type.bytes);
  const typed =
    type.dtype === "int32" ? Int32Array.from(values) : type.dtype === "float32" ? Float32Array.from(values) : values;
  return tensor(typed, { shape });
}
