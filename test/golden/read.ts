import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TypedArray } from "../../src/tensor/dtype.ts";
import { Generator } from "../../src/tensor/generator.ts";

/** A decoded golden tensor. Of a large result only every `every`-th element is kept, with the hash of all its bytes. */
export interface Golden {
  dtype: "float32" | "float64" | "int32" | "int64" | "uint8" | "bool";
  shape: number[];
  data: TypedArray;
  sha256?: string;
  every?: number;
}

interface Written {
  dtype: Golden["dtype"];
  shape: number[];
  data?: string;
  seed?: number;
  mean?: number;
  std?: number;
}

/**
 * The cases of a golden file, tensors decoded, as make.py describes them.
 *
 * @param name the file's name without its ending, such as "norm"
 */
export function readGolden<Case>(name: string): Case[] {
  const text = readFileSync(new URL(`${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text, (_, value) => (isWritten(value) ? decode(value) : value)) as { cases: Case[] }).cases;
}

/** The SHA-256 of an array's bytes, to compare with a large golden tensor's. */
export function sha256(data: TypedArray): string {
  return createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
}

function isWritten(value: unknown): value is Written {
  return typeof value === "object" && value !== null && "dtype" in value && "shape" in value;
}

function decode(written: Written): Golden {
  const { dtype, shape } = written;
  if (written.data === undefined) {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = dtype === "float64" ? new Float64Array(size) : new Float32Array(size);
    new Generator(written.seed).fillNormal(data, written.mean, written.std);
    return { dtype, shape, data };
  }
  const bytes = new Uint8Array(Buffer.from(written.data, "base64"));
  return { ...written, data: typed(dtype, bytes.buffer) };
}

/** @param dtype also float16 and bfloat16, whose bits are given */
function typed(dtype: string, buffer: ArrayBuffer): TypedArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "float16":
    case "bfloat16":
      return new Uint16Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}
