// jax-js on its WebAssembly device: node jax.mjs jax
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad, vjp } from "@jax-js/jax";
import { meanAbsolute, serve, Unsupported, values } from "./serve.mjs";

async function load() {
  await init("wasm");
  defaultDevice("wasm");
  const folder = dirname(createRequire(import.meta.url).resolve("@jax-js/jax"));
  const { version } = JSON.parse(readFileSync(`${folder}/../package.json`, "utf8"));
  return { version, details: "wasm device, jit" };
}

function input(shape, seed) {
  const count = shape.reduce((a, b) => a * b, 1);
  return np.array(values(count, seed)).reshape(shape);
}

/** Compiled functions consume their arguments: each call is given references. */
function computing(compute, args) {
  const run = jit(compute);
  const once = () => run(...args.map((arg) => arg.ref));
  return {
    body: async () => tree.dispose(await blockUntilReady(once())),
    check: async () => {
      const result = once();
      const [shown, ...others] = Array.isArray(result) ? result : [result];
      tree.dispose(others);
      return meanAbsolute(await shown.data());
    },
    drop: () => args.forEach((arg) => arg.dispose()),
  };
}

/** (x − mean) / √(var + eps), scaled and shifted, over all axes but `channel`. */
function batchNorm(x, scale, shift, channel) {
  const axes = x.shape.map((_, d) => d).filter((d) => d !== channel);
  const wide = x.shape.map((size, d) => (d === channel ? size : 1));
  const centred = x.ref.sub(x.mean(axes, { keepdims: true }));
  const variance = np.square(centred.ref).mean(axes, { keepdims: true });
  const normalized = centred.div(np.sqrt(variance.add(1e-5)));
  return normalized.mul(scale.reshape(wide)).add(shift.reshape(wide));
}

function norm({ kind, pass, shape }) {
  if (kind !== "batch") throw new Unsupported("not compared");
  const args = [input(shape, 1), np.ones([shape[1]]), np.zeros([shape[1]])];
  if (pass === "forward") return computing((x, scale, shift) => batchNorm(x, scale, shift, 1), args);
  if (pass === "eval") {
    const wide = shape.map((size, d) => (d === 1 ? size : 1));
    const affine = (x, scale, shift) => x.mul(scale.div(Math.sqrt(1 + 1e-5)).reshape(wide)).add(shift.reshape(wide));
    return computing(affine, args);
  }
  const both = (x, scale, shift, g) => {
    const [y, pullBack] = vjp((x, scale, shift) => batchNorm(x, scale, shift, 1), [x, scale, shift]);
    y.dispose();
    const gradients = pullBack(g);
    pullBack.dispose?.();
    return gradients;
  };
  return computing(both, [...args, input(shape, 2)]);
}

function gemm({ n }) {
  return computing((a, b) => np.matmul(a, b), [input([n, n], 1), input([n, n], 2)]);
}

function conv({ pass, shape, out, kernel, stride, padding, groups }) {
  if (pass !== "forward") throw new Unsupported("not compared");
  const w = input([out, shape[1] / groups, kernel, kernel], 2);
  const pads = [
    [padding, padding],
    [padding, padding],
  ];
  const convolve = (x, w) => lax.convGeneralDilated(x, w, [stride, stride], pads, { featureGroupCount: groups });
  return computing(convolve, [input(shape, 1), w]);
}

function step({ model, batch }) {
  if (model !== "mlp") throw new Unsupported("0.2 GFLOP/s in a convolution: a step takes minutes");
  const widths = [784, 100, 100, 100];
  let params = {
    layers: widths.slice(1).map((width, i) => ({
      w: input([widths[i], width], i).mul(0.1),
      scale: np.ones([width]),
      shift: np.zeros([width]),
    })),
    last: { w: input([100, 10], 9).mul(0.1), b: np.zeros([10]) },
  };
  let velocity = tree.map((p) => np.zerosLike(p), tree.ref(params));
  const x = input([batch, 784], 1);
  const labels = nn.oneHot(np.array(Array.from({ length: batch }, (_, i) => (i * 7) % 10)).astype(np.int32), 10);
  const loss = (params, x, labels) => {
    let h = x;
    for (const { w, scale, shift } of params.layers) h = nn.sigmoid(batchNorm(np.matmul(h, w), scale, shift, 1));
    const logits = np.matmul(h, params.last.w).add(params.last.b);
    return nn
      .logSoftmax(logits, -1)
      .mul(labels)
      .sum()
      .mul(-1 / batch);
  };
  const update = jit((params, velocity, x, labels) => {
    const [value, gradients] = valueAndGrad(loss)(tree.ref(params), x, labels);
    value.dispose();
    const moved = tree.map((v, g) => v.mul(0.9).add(g), velocity, gradients);
    return [tree.map((p, v) => p.sub(v.mul(0.01)), params, tree.ref(moved)), moved];
  });
  const body = async () => {
    [params, velocity] = await blockUntilReady(update(params, velocity, x.ref, labels.ref));
  };
  return { body, drop: () => tree.dispose([params, velocity, x, labels]) };
}

await serve(load, (workload) => ({ norm, gemm, conv, step })[workload.op](workload));
