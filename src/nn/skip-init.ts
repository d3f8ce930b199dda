let skipping = false;

/** Whether layers leave their parameters as the memory happens to be: inside `skipInit`. */
export function isSkippingInit(): boolean {
  return skipping;
}

/**
 * Builds a module without drawing initial values: its random parameters hold whatever the memory held, until a state dict is loaded. It draws nothing from the
 * generator, and makes a model of hundreds of megabytes at once. As torch.nn.utils.skip_init, for everything made in `build`.
 * @example
 * ```ts
 * import { nn, ones } from "evenkeel";
 * const layer = nn.skipInit(() => new nn.Linear(3, 1));
 * layer.loadStateDict({ weight: ones([1, 3]), bias: ones([1]) });
 * layer.forward(ones([3])).toArray(); // => [4]
 * ```
 */
export function skipInit<T>(build: () => T): T {
  const before = skipping;
  skipping = true;
  try {
    return build();
  } finally {
    skipping = before;
  }
}
