import { ArgumentError } from "../util/errors.ts";
import { closeScope, openScope } from "./memory.ts";
import { Tensor } from "./tensor.ts";

function forEachTensor(value: unknown, visit: (tensor: Tensor) => void, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Tensor) visit(value);
  else if (Array.isArray(value) || value instanceof Set) for (const item of value) forEachTensor(item, visit, depth);
  else if (value instanceof Map) for (const item of value.values()) forEachTensor(item, visit, depth);
  else if (depth < 4 && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) forEachTensor(item, visit, depth + 1);
  }
}

/**
 * Runs `body` and releases every tensor made in it, except those it returns (in arrays, maps and plain objects too) and those that
 * are pinned: parameters, buffers, gradients, optimizer state, kept ones. To train inside it, do the whole step inside.
 * @throws ArgumentError if `body` is async: what other code makes meanwhile could not be told apart
 * @example
 * ```ts
 * import { randn, tidy } from "evenkeel";
 * const norm = tidy(() => {
 *   const x = randn([1000]);
 *   return x.mul(x).sum().sqrt();
 * });
 * norm.shape; // => []
 * ```
 */
export function tidy<T>(body: () => T): T {
  const scope = openScope("tidy");
  let result: T;
  const returned: Tensor[] = [];
  try {
    result = body();
    if (result instanceof Promise) {
      result.catch(() => {}); // the error below is the one to see
      throw new ArgumentError(
        "tidy was given an async function",
        "await first, then tidy what is computed from the results",
      );
    }
    forEachTensor(result, (tensor) => {
      // what was made outside stays where it belongs
      if (tensor.storage.isLive && tensor.storage.endsWith(scope)) returned.push(tensor);
    });
    for (const tensor of returned) tensor.storage.pin();
  } finally {
    closeScope(scope);
  }
  for (const tensor of returned) tensor.storage.unpin();
  return result;
}
