import { ITEM_BYTES } from "../tensor/dtype.ts";
import { pickle } from "./pickle-write.ts";
import { elementBytes, storageBytes } from "./tensor-bytes.ts";
import type { CheckpointValue } from "./values.ts";
import { type ZipPart, zipChunks } from "./zip-write.ts";

const encoder = new TextEncoder();

function part(name: string, bytes: Uint8Array): ZipPart {
  return { name: `archive/${name}`, size: bytes.length, chunks: () => [bytes] };
}

/** Pieces of a file as torch.save writes it since 1.6: a zip file of data.pkl and the storages in data/. */
export function torchChunks(value: CheckpointValue): Iterable<Uint8Array> {
  const { bytes, storages } = pickle(value);
  const data = storages.map(
    ({ tensor, whole, numel }, key): ZipPart => ({
      name: `archive/data/${key}`,
      size: numel * ITEM_BYTES[tensor.dtype],
      chunks: () => (whole ? storageBytes(tensor) : elementBytes(tensor)),
    }),
  );
  return zipChunks([
    part("data.pkl", bytes),
    part("byteorder", encoder.encode("little")),
    ...data,
    part("version", encoder.encode("3\n")),
  ]);
}
