import { zipFile } from "./zip-file.ts";

/** Bytes of a pickle, assembled from opcodes, texts and parts. */
export const bytes = (...parts: (number | string | Uint8Array | number[])[]): Uint8Array =>
  new Uint8Array(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : typeof part === "string" ? [...new TextEncoder().encode(part)] : [...part],
    ),
  );

export const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);

/** BINUNICODE */
export const text = (value: string): Uint8Array => {
  const encoded = new TextEncoder().encode(value);
  return bytes(0x58, u32(encoded.length), encoded);
};

export const global = (module: string, name: string): Uint8Array => bytes(`c${module}\n${name}\n`);

/** A whole pickle of protocol 2. */
export const pickled = (...parts: Parameters<typeof bytes>): Uint8Array => bytes(0x80, 2, ...parts, ".");

/** ("storage", torch.FloatStorage, key, "cpu", numel), as a persistent id */
export const storage = (key: string, numel: number, type = "FloatStorage"): Uint8Array =>
  bytes("(", text("storage"), global("torch", type), text(key), text("cpu"), 0x4a, u32(numel), "tQ");

const ints = (values: readonly number[]) => bytes("(", ...values.map((value) => bytes(0x4a, u32(value))), "t");

/** torch._utils._rebuild_tensor_v2 */
export const rebuilt = (
  stored: Uint8Array,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array =>
  bytes(
    global("torch._utils", "_rebuild_tensor_v2"),
    "(",
    stored,
    bytes(0x4a, u32(offset)),
    ints(shape),
    ints(strides),
    0x89,
    global("collections", "OrderedDict"),
    ")RtR",
  );

/** A file of torch.save around a pickle, and storages of so many bytes. */
export function torchFile(pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  return zipFile([
    { name: "archive/data.pkl", content: pickle },
    ...Object.entries(storages).map(([key, content]) => ({ name: `archive/data/${key}`, content })),
    { name: "archive/version", content: bytes("3\n") },
  ]);
}
