let enabled = true;

/**
 * Whether operations record how to compute gradients, as torch.is_grad_enabled.
 * @example
 * ```ts
 * import { isGradEnabled, noGrad } from "evenkeel";
 * noGrad(isGradEnabled); // => false
 * ```
 */
export function isGradEnabled(): boolean {
  return enabled;
}

function withMode<T>(mode: boolean, body: () => T): T {
  const before = enabled;
  enabled = mode;
  let result: T;
  try {
    result = body();
  } catch (error) {
    enabled = before;
    throw error;
  }
  if (result instanceof Promise) {
    return result.finally(() => {
      enabled = before;
    }) as T;
  }
  enabled = before;
  return result;
}

/**
 * Runs `body` without recording gradients and returns its result, as torch.no_grad(). For an async body it holds until the promise settles.
 * @example
 * ```ts
 * import { noGrad, tensor } from "evenkeel";
 * const w = tensor([1], { requiresGrad: true });
 * noGrad(() => w.mul(2)).requiresGrad; // => false
 * ```
 */
export function noGrad<T>(body: () => T): T {
  return withMode(false, body);
}

/**
 * Runs `body` with gradients recorded, inside `noGrad`, as torch.enable_grad().
 * @example
 * ```ts
 * import { enableGrad, noGrad, tensor } from "evenkeel";
 * const w = tensor([1], { requiresGrad: true });
 * noGrad(() => enableGrad(() => w.mul(2))).requiresGrad; // => true
 * ```
 */
export function enableGrad<T>(body: () => T): T {
  return withMode(true, body);
}
