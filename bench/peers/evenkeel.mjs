// evenkeel as built into dist/: node evenkeel.mjs evenkeel THREADS
import * as ek from "../../dist/index.js";
import { MODELS } from "./evenkeel-models.mjs";
import { timedByKernel } from "./kernel-times.mjs";
import { meanAbsolute, serve, values } from "./serve.mjs";

const { autograd, F, nn, optim, tidy } = ek;
const threads = Number(process.argv[3]);

function load() {
  ek.setNumThreads(threads);
  const { backend, simd } = ek.runtimeInfo();
  return { version: ek.version ?? "this checkout", details: `${backend}, ${simd} SIMD`, threads: ek.getNumThreads() };
}

function input(shape, seed, requiresGrad = false) {
  const count = shape.reduce((a, b) => a * b, 1);
  return ek.tensor(values(count, seed), { requiresGrad }).view(shape).detach().requiresGrad_(requiresGrad).keep();
}

const NORMS = {
  batch: ({ shape }) => (shape.length === 4 ? new nn.BatchNorm2d(shape[1]) : new nn.BatchNorm1d(shape[1])),
  layer: ({ shape }) => new nn.LayerNorm(shape.at(-1)),
  group: ({ shape, groups }) => new nn.GroupNorm(groups, shape[1]),
  instance: ({ shape }) => new nn.InstanceNorm2d(shape[1], { affine: true }),
};

/** A body that computes a tensor and releases it, and what that tensor is known by. */
function computing(compute, inputs) {
  return {
    body: () => tidy(() => void compute()),
    check: () => tidy(() => meanAbsolute(compute().toTypedArray())),
    drop: () => inputs.forEach((tensor) => tensor.dispose()),
  };
}

function norm(workload) {
  const { kind, pass, shape } = workload;
  const layer = NORMS[kind](workload).train(pass !== "eval");
  const x = input(shape, 1, pass === "both");
  const g = input(shape, 2);
  if (pass === "forward") return computing(() => layer.forward(x), [x, g]);
  if (pass === "eval") return computing(() => ek.noGrad(() => layer.forward(x)), [x, g]);
  const inputs = [x, ...layer.parameters()];
  return computing(() => autograd.grad([layer.forward(x)], inputs, { gradOutputs: [g] })[0], [x, g]);
}

function gemm({ n }) {
  const a = input([n, n], 1);
  const b = input([n, n], 2);
  return computing(() => a.matmul(b), [a, b]);
}

function conv({ pass, shape, out, kernel, stride, padding, groups }) {
  const x = input(shape, 1, pass === "input");
  const w = input([out, shape[1] / groups, kernel, kernel], 2, pass === "weight");
  const forward = () => F.conv2d(x, w, { stride, padding, groups });
  if (pass === "forward") return computing(forward, [x, w]);
  const y = forward();
  const g = input(y.shape, 3);
  const wanted = [pass === "input" ? x : w];
  return computing(() => autograd.grad([y], wanted, { gradOutputs: [g], retainGraph: true })[0], [x, w, g, y]);
}

function step({ model: name, batch }) {
  ek.manualSeed(0);
  const { model, shape } = MODELS[name]();
  const x = input([batch, ...shape], 1);
  const labels = ek
    .tensor(
      Array.from({ length: batch }, (_, i) => (i * 7) % 10),
      { dtype: "int64" },
    )
    .keep();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const body = () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), labels);
    loss.backward();
    optimizer.step();
  };
  return { body, drop: () => [x, labels].forEach((tensor) => tensor.dispose()) };
}

await serve(load, (workload) => {
  const task = { norm, gemm, conv, step }[workload.op](workload);
  return workload.byKernel ? timedByKernel(task) : task;
});
