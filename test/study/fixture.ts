import type { NormKind, StudyResults, SweepRun, UnitPercentiles } from "../../src/study/results.ts";

/** A small generator of its own, so that the fixture needs nothing of the library. */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const range = (n: number, f: (i: number) => number) => Array.from({ length: n }, (_, i) => f(i));

function curve(norm: NormKind, steps: number[]): number[] {
  const random = noise(norm === "batch" ? 3 : 4);
  return steps.map((s) => {
    const level =
      norm === "batch"
        ? 0.979 - 0.75 * Math.exp(-s / 160) - 0.05 * Math.exp(-s / 900)
        : 0.113 + 0.79 * sigmoid((s - 1500) / 330);
    return Math.min(0.99, Math.max(0.08, level + 0.008 * random()));
  });
}

function unit(norm: NormKind, steps: number[]): UnitPercentiles {
  const random = noise(7);
  const at = (s: number) =>
    norm === "batch"
      ? { mid: 0.1 + 0.1 * random(), half: 1 + 0.4 * (1 - Math.exp(-s / 1200)) }
      : {
          mid: -2.2 * sigmoid((s - 1400) / 260) + 0.6 * sigmoid((s - 2300) / 200),
          half: 0.02 + 2.8 * sigmoid((s - 1700) / 300),
        };
  const points = steps.map(at);
  return {
    layer: 3,
    unit: 17,
    step: steps,
    p15: points.map((p) => p.mid - p.half),
    p50: points.map((p) => p.mid),
    p85: points.map((p) => p.mid + 1.1 * p.half),
  };
}

function sweep(
  values: number[],
  norms: NormKind[],
  accuracy: (norm: NormKind, value: number) => number | null,
): SweepRun[] {
  const random = noise(11);
  return norms.flatMap((norm) =>
    values.map((value) => {
      const a = accuracy(norm, value);
      return { norm, value, seed: 0, testAccuracy: a === null ? null : a + 0.006 * random(), diverged: a === null };
    }),
  );
}

const x = [0.4121, -0.9033, 1.2307, 0.0584, -0.2716, 0.6942];
const mean = x.reduce((a, b) => a + b, 0) / x.length;
const variance = x.reduce((a, v) => a + (v - mean) ** 2, 0) / x.length;
const eps = 1e-5;
const gamma = 1.3128;
const beta = -0.4207;
const xhat = x.map((v) => (v - mean) / Math.sqrt(variance + eps));
const unbiasedVar = (variance * x.length) / (x.length - 1);
const meanAfter = 0.9 * 0.1352 + 0.1 * mean;
const varAfter = 0.9 * 0.4511 + 0.1 * unbiasedVar;

/** A made-up study with realistic numbers; every call gives a fresh one. */
export function fixture(): StudyResults {
  const steps = range(151, (i) => Math.max(1, i * 20));
  const unitSteps = range(101, (i) => i * 30);
  const scales = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];
  const rates = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];
  const sizes = [2, 4, 8, 16, 32, 64, 128];
  const family: NormKind[] = ["none", "batch", "layer", "group"];
  const relatives: NormKind[] = ["batch", "layer", "instance", "group"];
  const peak: Record<NormKind, [number, number]> = {
    none: [0.2, 0.8],
    batch: [0.4, 2.4],
    layer: [0.3, 1.6],
    group: [0.3, 1.5],
    instance: [0.3, 1.2],
  };
  const bump = (norm: NormKind, value: number, shift: number) => {
    const [centre, width] = peak[norm];
    return 0.113 + 0.86 * Math.exp(-(((Math.log10(value) - Math.log10(centre) - shift) / width) ** 4));
  };
  const random = noise(23);
  return {
    format: "evenkeel-study/1",
    meta: {
      version: "0.1.0",
      date: "2025-03-01T09:30:00.000Z",
      preset: "quick",
      seed: 0,
      command: "npx evenkeel study --preset quick --seed 0",
      seconds: 68.4,
      aborted: false,
      machine: {
        cpu: "AMD EPYC 9R14",
        cores: 2,
        os: "Linux 6.1",
        node: "20.19.2",
        backend: "wasm",
        simd: "relaxed",
        threads: 1,
      },
      data: { name: "MNIST", train: 60000, test: 10000, classes: 10 },
    },
    threeSteps: {
      layer: 3,
      unit: 17,
      step: 240,
      x,
      mean,
      var: variance,
      eps,
      xhat,
      gamma,
      beta,
      y: xhat.map((v) => gamma * v + beta),
      running: { momentum: 0.1, meanBefore: 0.1352, varBefore: 0.4511, unbiasedVar, meanAfter, varAfter },
      yEval: x.map((v) => (gamma * (v - meanAfter)) / Math.sqrt(varAfter + eps) + beta),
    },
    experiments: {
      speed: {
        finished: true,
        seconds: 21.3,
        settings: {
          network: "784-100-100-100-10",
          activation: "Sigmoid",
          weights: "N(0, 0.1²)",
          optimizer: "SGD()",
          learningRate: 0.5,
          batchSize: 60,
          steps: 3000,
          seeds: [0],
        },
        targets: [0.5, 0.8, 0.9, 0.95, 0.97],
        runs: (["none", "batch"] as const).map((norm) => ({
          norm,
          seed: 0,
          finished: true,
          trainSeconds: norm === "batch" ? 4.2 : 3.1,
          curve: { step: steps, testAccuracy: curve(norm, steps) },
          unit: unit(norm, unitSteps),
        })),
      },
      init: {
        finished: true,
        seconds: 12.1,
        scale: "std",
        settings: {
          network: "784-100-100-100-10",
          activation: "ReLU",
          optimizer: "SGD()",
          learningRate: 0.1,
          batchSize: 60,
          steps: 400,
          seeds: [0],
          groups: 10,
        },
        values: scales,
        norms: family,
        runs: sweep(scales, family, (norm, value) => (norm === "none" && value >= 3 ? null : bump(norm, value, -0.9))),
      },
      learningRate: {
        finished: true,
        seconds: 11.9,
        settings: {
          network: "784-100-100-100-10",
          activation: "ReLU",
          weights: "He",
          optimizer: "SGD()",
          batchSize: 60,
          steps: 400,
          seeds: [0],
          groups: 10,
        },
        values: rates,
        norms: family,
        runs: sweep(rates, family, (norm, value) =>
          norm === "none" && value >= 3 ? null : bump(norm, value, norm === "none" ? -0.6 : -0.4),
        ),
      },
      generalization: {
        finished: true,
        seconds: 14.0,
        settings: {
          network: "Conv2d(1, 8, 3) · Conv2d(8, 16, 3) · Linear(400, 10)",
          activation: "ReLU",
          optimizer: "SGD(momentum=0.9)",
          learningRate: 0.05,
          batchSize: 64,
          epochs: 4,
          seeds: [0, 1, 2, 3, 4],
          trainSamples: 4000,
        },
        norms: ["none", "batch"],
        runs: (["none", "batch"] as const).flatMap((norm) =>
          range(5, (seed) => seed).map((seed) => ({
            norm,
            seed,
            trainAccuracy: (norm === "batch" ? 0.9962 : 0.9871) + 0.003 * random(),
            testAccuracy: (norm === "batch" ? 0.9784 : 0.9667) + 0.005 * random(),
          })),
        ),
      },
      batchSize: {
        finished: true,
        seconds: 9.1,
        settings: {
          network: "Conv2d(1, 8, 3) · Conv2d(8, 16, 3) · Linear(400, 10)",
          activation: "ReLU",
          optimizer: "SGD(momentum=0.9)",
          learningRate: "0.1 · batch / 32",
          epochs: 1,
          seeds: [0],
          groups: 4,
          trainSamples: 4000,
        },
        values: sizes,
        norms: relatives,
        runs: sweep(sizes, relatives, (norm, value) => {
          const base = { none: 0.9, batch: 0.972, layer: 0.962, instance: 0.951, group: 0.968 }[norm];
          return base - (norm === "batch" ? 0.11 * Math.exp(-(value - 2) / 3.2) : 0) - 0.00009 * value;
        }),
      },
    },
  };
}
