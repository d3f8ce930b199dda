// Rounding errors of 3×3 convolutions, by Winograd's algorithm and by plain sums, and PyTorch's, against float64: prints the table of docs/convolution.md.
//   npm run build && node bench/accuracy/convolution.mjs [PYTHON with torch]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autograd, F, setWinograd, tensor, tidy } from "../../dist/index.js";

const SHAPES = [
  { n: 8, c: 16, size: 32, k: 16 },
  { n: 8, c: 64, size: 16, k: 64 },
  { n: 2, c: 256, size: 14, k: 256 },
  { n: 8, c: 16, size: 32, k: 32, stride: 2 },
  { n: 8, c: 64, size: 32, k: 128, stride: 2 },
];

/** A generator of its own for every input, so that the table stays the same. */
function random(seed) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

/** What one element of an input is; the weights are normal times √(2 / fan in). */
const KINDS = {
  normal: (r) => r.normal(),
  "after ReLU": (r) => Math.max(0, r.normal()),
  "mean 100": (r) => 100 + r.normal(),
  "six orders of magnitude": (r) => r.normal() * 10 ** (6 * r.uniform() - 3),
  "alternating ±1": (_r, i) => (i & 1 ? -1 : 1),
};

const PROGRAM = `
import json, sys, numpy, torch
import torch.nn.functional as F
folder = sys.argv[1]
for name, (x, g, w) in json.load(open(folder + "/shapes.json")).items():
    stride = x[2] // g[2]
    x, g, w = (torch.from_numpy(numpy.fromfile(f"{folder}/{name}.{part}", "<f4").reshape(shape)) for part, shape in (("x", x), ("g", g), ("w", w)))
    x.requires_grad_(); w.requires_grad_()
    y = F.conv2d(x, w, stride=stride, padding=1)
    y.backward(g)
    for part, t in (("y", y), ("gx", x.grad), ("gw", w.grad)):
        t.detach().numpy().astype("<f4").tofile(f"{folder}/{name}.{part}")
print(torch.__version__)
`;

const PASSES = ["y", "gx", "gw"];

/** [output, gradient of the input, gradient of the weights] */
function passes(arrays, shapes, dtype) {
  return tidy(() => {
    const [x, g, w] = ["x", "g", "w"].map((part, i) => tensor(Array.from(arrays[part]), { dtype }).view(shapes[i]));
    x.requiresGrad_();
    w.requiresGrad_();
    const y = F.conv2d(x, w, { stride: shapes[0][2] / shapes[1][2], padding: 1 });
    const grads = autograd.grad([y], [x, w], { gradOutputs: [g] });
    return [y, ...grads].map((t) => t.detach().toTypedArray().slice());
  });
}

/** Largest error and root mean square of the errors, relative to the root mean square and to the largest of what is exact. */
function errors(got, exact) {
  let [squares, most, largest, norm] = [0, 0, 0, 0];
  exact.forEach((value, i) => {
    const error = Math.abs(got[i] - value);
    squares += error ** 2;
    norm += value ** 2;
    most = Math.max(most, error);
    largest = Math.max(largest, Math.abs(value));
  });
  return { rms: Math.sqrt(squares / norm), max: most / largest };
}

const folder = mkdtempSync(join(tmpdir(), "convolution-"));
const cases = {};
const shapesOf = {};
for (const { n, c, size, k, stride = 1 } of SHAPES) {
  for (const [kind, element] of Object.entries(KINDS)) {
    const name = `${Object.keys(cases).length}`;
    const shapes = [
      [n, c, size, size],
      [n, k, size / stride, size / stride],
      [k, c, 3, 3],
    ];
    const count = (shape) => shape.reduce((a, b) => a * b, 1);
    const [rx, rg, rw] = [1, 2, 3].map(random);
    const scale = Math.sqrt(2 / (9 * c));
    const arrays = {
      x: Float32Array.from({ length: count(shapes[0]) }, (_, i) => element(rx, i)),
      g: Float32Array.from({ length: count(shapes[1]) }, () => rg.normal()),
      w: Float32Array.from({ length: count(shapes[2]) }, () => rw.normal() * scale),
    };
    for (const [part, array] of Object.entries(arrays)) writeFileSync(join(folder, `${name}.${part}`), array);
    cases[name] = { kind, arrays, shapes, what: `${c} → ${k}, ${size}²${stride > 1 ? `, stride ${stride}` : ""}` };
    shapesOf[name] = shapes;
  }
}
writeFileSync(join(folder, "shapes.json"), JSON.stringify(shapesOf));
const python = spawnSync(process.argv[2] ?? "/usr/bin/python3", ["-c", PROGRAM, folder], { encoding: "utf8" });
const torch = python.status === 0 ? python.stdout.trim() : null;
if (!torch) console.error(`without PyTorch: ${python.stderr}`);

const number = (x) => x.toExponential(1);
console.log(
  `| channels | input | pass | Winograd rms, max | plain sums rms, max | PyTorch ${torch ?? "–"} rms, max |\n|---|---|---|---|---|---|`,
);
for (const [name, { kind, arrays, shapes, what }] of Object.entries(cases)) {
  const exact = passes(arrays, shapes, "float64");
  setWinograd(true);
  const fast = passes(arrays, shapes, "float32");
  setWinograd(false);
  const plain = passes(arrays, shapes, "float32");
  PASSES.forEach((pass, i) => {
    // The gradient of the input does not depend on the input.
    if (pass === "gx" && kind !== "normal") return;
    const theirs = torch && new Float32Array(readFileSync(join(folder, `${name}.${pass}`)).buffer.slice(0));
    const columns = [fast[i], plain[i], theirs].map((got) => {
      if (!got) return "–";
      const { rms, max } = errors(got, exact[i]);
      return `${number(rms)}, ${number(max)}`;
    });
    const label = { y: "output", gx: "input", gw: "weights" }[pass];
    console.log(`| ${what} | ${kind} | ${label} | ${columns.join(" | ")} |`);
  });
}
rmSync(folder, { recursive: true });
