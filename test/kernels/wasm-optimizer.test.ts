import { describe, expect, it } from "vitest";
import type { Backend, Pointer } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { isReference, noise, put, read, reference, tested } from "./both.ts";

const STEPS = 4;

/** Runs some steps on both backends over [param, grad, …state] and expects every array the same to the bit. */
function expectSame(dtype: FloatDType, run: (k: Backend, n: number, p: Pointer[], step: number) => void): void {
  for (let n = 0; n <= 17; n++) {
    const results = [tested, reference].map((k) => {
      const grads = noise(n, 0.1, n + 1);
      const arrays = [
        put(dtype, noise(n, 1, n + 2)),
        put(dtype, grads),
        ...[0, 0, 0].map(() =>
          put(
            dtype,
            grads.map(() => 0),
          ),
        ),
      ];
      for (let step = 1; step <= STEPS; step++) {
        arrays[1] = put(dtype, noise(n, 0.1, 100 * n + step));
        run(k, n, arrays, step);
      }
      return arrays.map((pointer) => read(dtype, pointer, n));
    });
    expect(results[0], `${n} elements`).toEqual(results[1]);
  }
}

describe.skipIf(isReference)(`optimizers, ${tested.simd}`, () => {
  for (const dtype of ["float32", "float64"] as const) {
    it.each([
      { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false },
      { momentum: 0.9, dampening: 0, weightDecay: 0, nesterov: false, maximize: false },
      { momentum: 0.9, dampening: 0.3, weightDecay: 0.01, nesterov: false, maximize: true },
      { momentum: 0.9, dampening: 0, weightDecay: 0.01, nesterov: true, maximize: false },
    ])(`SGD of ${dtype}, %o`, (options) => {
      expectSame(dtype, (k, n, [p, g, b], step) => {
        const tensor = { n, param: p, grad: g, buffer: options.momentum ? b : 0, first: step === 1 };
        k.sgd(dtype, [tensor], { lr: 0.1, ...options });
      });
    });

    it.each([
      { weightDecay: 0, decoupled: false, maximize: false, amsgrad: false },
      { weightDecay: 0.01, decoupled: false, maximize: true, amsgrad: true },
      { weightDecay: 0.01, decoupled: true, maximize: false, amsgrad: false },
    ])(`Adam of ${dtype}, %o`, ({ amsgrad, ...options }) => {
      expectSame(dtype, (k, n, [p, g, m, v, most], step) => {
        const scalars = { lr: 0.001, beta1: 0.9, beta2: 0.999, eps: 1e-8, ...options, step };
        k.adam(dtype, n, p, g, m, v, amsgrad ? most : 0, scalars);
      });
    });

    it.each([
      { weightDecay: 0, momentum: 0, maximize: false, centered: false },
      { weightDecay: 0.01, momentum: 0.9, maximize: false, centered: true },
      { weightDecay: 0, momentum: 0, maximize: true, centered: true },
    ])(`RMSprop of ${dtype}, %o`, ({ centered, ...options }) => {
      expectSame(dtype, (k, n, [p, g, s, b, a]) => {
        const scalars = { lr: 0.01, alpha: 0.99, eps: 1e-8, ...options };
        k.rmsprop(dtype, n, p, g, s, options.momentum ? b : 0, centered ? a : 0, scalars);
      });
    });
  }
});
