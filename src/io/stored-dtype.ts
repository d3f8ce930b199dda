import { heap } from "../kernels/heap.ts";
import { type DType, ITEM_BYTES, viewHeap } from "../tensor/dtype.ts";
import { Storage } from "../tensor/memory.ts";
import { CheckpointError } from "../util/errors.ts";
import { crc32 } from "./crc32.ts";
import { chunksOf, type Source } from "./source.ts";

/** An element type as files hold it, and the dtype of the tensors it becomes. */
export interface StoredDType {
  readonly name: string;
  /** safetensors' code */
  readonly code: string;
  /** PyTorch's typed storage, without "Storage" */
  readonly storage: string;
  readonly bytes: number;
  readonly dtype: DType;
}

const row = (name: string, code: string, storage: string, bytes: number, dtype: DType): StoredDType => {
  return { name, code, storage, bytes, dtype };
};

/** Types that tensors do not have are widened without loss. */
export const STORED_DTYPES: readonly StoredDType[] = [
  row("float64", "F64", "Double", 8, "float64"),
  row("float32", "F32", "Float", 4, "float32"),
  row("float16", "F16", "Half", 2, "float16"),
  row("bfloat16", "BF16", "BFloat16", 2, "bfloat16"),
  row("int64", "I64", "Long", 8, "int64"),
  row("int32", "I32", "Int", 4, "int32"),
  row("int16", "I16", "Short", 2, "int32"),
  row("int8", "I8", "Char", 1, "int32"),
  row("uint8", "U8", "Byte", 1, "uint8"),
  row("bool", "BOOL", "Bool", 1, "bool"),
];

/** How a tensor's elements are stored. */
export function storedAs(dtype: DType): StoredDType {
  return STORED_DTYPES.find(({ name }) => name === dtype)!;
}

type Element = (view: DataView, at: number) => number;

const WIDEN: Readonly<Record<string, Element>> = {
  int16: (view, at) => view.getInt16(at, true),
  int8: (view, at) => view.getInt8(at),
  // any byte but 0 is true, so that a tensor holds 0 and 1 alone
  bool: (view, at) => (view.getUint8(at) ? 1 : 0),
};

/** Where elements lie in a file. */
export interface StoredRange {
  readonly offset: number;
  readonly count: number;
  readonly stored: StoredDType;
  /** checksum of the bytes; undefined where the file has none */
  readonly crc?: number;
  /** what error messages call it */
  readonly key: string;
}

/** Elements of a file in the tensor heap, read in pieces. Pinned: the caller unpins or releases it. @throws CheckpointError if the checksum differs */
export async function readStorage(source: Source, range: StoredRange): Promise<Storage> {
  const { offset, count, stored, crc, key } = range;
  const { bytes, dtype, name } = stored;
  const widen = name === dtype && name !== "bool" ? undefined : WIDEN[name];
  const storage = new Storage(count * ITEM_BYTES[dtype]);
  storage.pin();
  try {
    let at = 0;
    let sum = 0;
    for await (const chunk of chunksOf(source, offset, count * bytes)) {
      if (crc !== undefined) sum = crc32(chunk, sum);
      // The heap's views may have been replaced since the last piece.
      if (!widen) heap.u8.set(chunk, storage.pointer + at * bytes);
      else {
        const out = viewHeap(dtype, storage.pointer + at * ITEM_BYTES[dtype], chunk.length / bytes);
        const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
        for (let i = 0; i < out.length; i++) out[i] = widen(view, i * bytes);
      }
      at += chunk.length / bytes;
    }
    if (crc !== undefined && sum !== crc) {
      throw new CheckpointError("the checksum differs: the file is damaged", "copy or download it again", {
        file: source.name,
        offset,
        key,
      });
    }
    return storage;
  } catch (error) {
    storage.release();
    throw error;
  }
}
