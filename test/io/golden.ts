import { readFileSync } from "node:fs";
import { nn, Tensor } from "../../src/index.ts";
import { bitsOfTensor } from "./bits.ts";

/** The versions of PyTorch whose files are kept. */
export const VERSIONS = ["1.13", "2.13"];

export const golden = (version: string, name: string) =>
  new URL(`../golden/checkpoints/${version}/${name}`, import.meta.url);

/** What checkpoints.py says a file holds. */
export function contents(version: string): Record<string, unknown> {
  return JSON.parse(readFileSync(golden(version, "contents.json"), "utf8"));
}

/** A loaded value in the words of checkpoints.py. */
export function describeValue(value: unknown): unknown {
  const storages: unknown[] = [];
  const describe = (v: unknown): unknown => {
    if (v instanceof Tensor) {
      const home = v.numel === 0 ? {} : v.storage;
      if (!storages.includes(home)) storages.push(home);
      return {
        tensor: v.dtype,
        shape: v.shape,
        strides: v.strides,
        data: Buffer.from(bitsOfTensor(v)).toString("base64"),
        storage: storages.indexOf(home),
        parameter: v instanceof nn.Parameter,
        requiresGrad: v.requiresGrad,
      };
    }
    if (typeof v === "bigint") return { int: String(v) };
    if (v instanceof Uint8Array) return { bytes: Buffer.from(v).toString("base64") };
    if (Array.isArray(v)) return Object.isFrozen(v) ? { tuple: v.map(describe) } : v.map(describe);
    if (v instanceof nn.StateDict) {
      const versions = v.metadata && Object.fromEntries([...v.metadata].map(([k, m]) => [k, m.version]));
      return { dict: [...v].map(([k, x]) => [k, describe(x)]), kind: "OrderedDict", ...(versions && { versions }) };
    }
    if (v instanceof Map) return { dict: [...v].map(([k, x]) => [k, describe(x)]), kind: "dict" };
    if (typeof v === "object" && v !== null) {
      const key = (k: string) => (/^\d+$/.test(k) ? Number(k) : k);
      return { dict: Object.entries(v).map(([k, x]) => [key(k), describe(x)]), kind: "dict" };
    }
    return v;
  };
  return describe(value);
}

/** The description as load gives the file: int8 and int16 are int32. */
export function widened(described: unknown): unknown {
  return JSON.parse(JSON.stringify(described), (_, value) =>
    value?.tensor === "int16" || value?.tensor === "int8" ? { ...value, tensor: "int32" } : value,
  );
}
