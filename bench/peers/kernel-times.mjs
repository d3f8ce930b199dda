import { backend } from "../../dist/kernels/registry.js";

/** A convolution's kernel is named by its window and stride too: "conv2d 3×3/2". */
function nameOf(kernel, [, shape]) {
  if (!kernel.startsWith("conv2d")) return kernel;
  return `${kernel} ${shape.kernelHeight}×${shape.kernelWidth}/${shape.strideHeight}`;
}

/**
 * A task whose kernels are timed one by one: `parts` gives for each the median of what an iteration spent in it, in ns, since it was last asked. In a process of its own, since
 * the calls of all kernels become slower to find.
 */
export function timedByKernel(task) {
  const spent = new Map();
  const kernels = backend();
  const own = Object.fromEntries(Object.entries(kernels).filter(([, kernel]) => typeof kernel === "function"));
  for (const [kernel, run] of Object.entries(own)) {
    kernels[kernel] = (...args) => {
      const began = process.hrtime.bigint();
      const result = run(...args);
      const ns = Number(process.hrtime.bigint() - began);
      const name = nameOf(kernel, args);
      if (!spent.has(name)) spent.set(name, { ns: 0, iterations: [] });
      spent.get(name).ns += ns;
      return result;
    };
  }
  return {
    body() {
      task.body();
      for (const entry of spent.values()) {
        entry.iterations.push(entry.ns);
        entry.ns = 0;
      }
    },
    parts() {
      const parts = {};
      for (const [name, { iterations }] of spent) {
        const middle = iterations.sort((a, b) => a - b)[iterations.length >> 1];
        if (middle > 0) parts[name] = middle;
        iterations.length = 0;
      }
      return parts;
    },
    drop() {
      Object.assign(kernels, own);
      task.drop();
    },
  };
}
