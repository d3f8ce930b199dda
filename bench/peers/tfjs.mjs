// TensorFlow.js: node tfjs.mjs tfjs-wasm|tfjs-cpu

import { createRequire } from "node:module";
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import { meanAbsolute, serve, Unsupported, values } from "./serve.mjs";

const backend = process.argv[2].replace("tfjs-", "");

async function load() {
  const files = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"));
  wasm.setWasmPaths(`${files}/dist/`);
  await tf.setBackend(backend);
  await tf.ready();
  const simd = backend === "wasm" ? await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT") : false;
  return { version: tf.version.tfjs, details: simd ? "SIMD, one thread" : "plain JavaScript" };
}

/** The same numbers as elsewhere, given in NCHW order and kept in NHWC, TensorFlow's own. */
function input(shape, seed) {
  const count = shape.reduce((a, b) => a * b, 1);
  const x = tf.tensor(values(count, seed), shape);
  return shape.length === 4 ? tf.transpose(x, [0, 2, 3, 1]) : x;
}

/** The backend computes at once, so that a result need not be read. */
function computing(compute) {
  return {
    body: () => tf.tidy(() => void compute()),
    check: () => tf.tidy(() => meanAbsolute(compute().dataSync())),
    drop: () => tf.disposeVariables(),
  };
}

function norm({ kind, pass, shape }) {
  if (kind !== "batch") throw new Unsupported("not compared");
  const channels = shape[1];
  const x = input(shape, 1);
  const g = input(shape, 2);
  const [scale, shift, mean, variance] = [tf.ones, tf.zeros, tf.zeros, tf.ones].map((make) => make([channels]));
  if (pass === "eval") return computing(() => tf.batchNorm(x, mean, variance, shift, scale, 1e-5));
  const forward = (x, scale, shift) => {
    const axes = x.shape.map((_, d) => d).slice(0, -1);
    const moments = tf.moments(x, axes);
    return tf.batchNorm(x, moments.mean, moments.variance, shift, scale, 1e-5);
  };
  if (pass === "forward") return computing(() => forward(x, scale, shift));
  const gradients = tf.grads(forward);
  return computing(() => gradients([x, scale, shift], g)[0]);
}

function gemm({ n }) {
  const [a, b] = [input([n, n], 1), input([n, n], 2)];
  return computing(() => tf.matMul(a, b));
}

function conv({ pass, shape, out, kernel, stride, groups }) {
  if (pass !== "forward") throw new Unsupported("not compared");
  const x = input(shape, 1);
  const depthwise = groups > 1;
  const weights = tf.tensor(values((out * shape[1] * kernel ** 2) / groups, 2), [
    out,
    shape[1] / groups,
    kernel,
    kernel,
  ]);
  // [height, width, in, out], or for depthwise [height, width, channels, 1]
  const w = tf.transpose(weights, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  return computing(() => (depthwise ? tf.depthwiseConv2d(x, w, stride, "same") : tf.conv2d(x, w, stride, "same")));
}

function step({ model, batch }) {
  if (model !== "mlp") throw new Unsupported("it has no gradient of a convolution's weight");
  const widths = [784, 100, 100, 100];
  const layers = widths.slice(1).map((width, i) => ({
    w: tf.variable(tf.randomNormal([widths[i], width], 0, 0.1)),
    scale: tf.variable(tf.ones([width])),
    shift: tf.variable(tf.zeros([width])),
    mean: tf.variable(tf.zeros([width]), false),
    variance: tf.variable(tf.ones([width]), false),
  }));
  const last = { w: tf.variable(tf.randomNormal([100, 10], 0, 0.1)), b: tf.variable(tf.zeros([10])) };
  const x = input([batch, 784], 1);
  const labels = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: batch }, (_, i) => (i * 7) % 10),
      "int32",
    ),
    10,
  );
  const optimizer = tf.train.momentum(0.01, 0.9);
  const forward = () => {
    let h = x;
    for (const { w, scale, shift, mean, variance } of layers) {
      const product = tf.matMul(h, w);
      const moments = tf.moments(product, 0);
      mean.assign(tf.add(tf.mul(mean, 0.9), tf.mul(moments.mean, 0.1)));
      variance.assign(tf.add(tf.mul(variance, 0.9), tf.mul(moments.variance, 0.1)));
      h = tf.sigmoid(tf.batchNorm(product, moments.mean, moments.variance, shift, scale, 1e-5));
    }
    const logits = tf.add(tf.matMul(h, last.w), last.b);
    return tf.losses.softmaxCrossEntropy(labels, logits);
  };
  return { body: () => tf.tidy(() => void optimizer.minimize(forward)), drop: () => tf.disposeVariables() };
}

await serve(load, (workload) => ({ norm, gemm, conv, step })[workload.op](workload));
