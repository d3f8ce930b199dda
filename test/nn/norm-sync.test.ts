import { ArgumentError, autograd, F, manualSeed, nn, randn, ShapeError, type Tensor, tensor } from "evenkeel";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { setDefaultCollective } from "../../src/functional/collective.ts";
import { relativeError } from "./compare.ts";

/**
 * Ranks in one process: every rank's pass runs twice. The first time each call only writes down what the rank gives (its results are
 * wrong and dropped), for one call after the other; when all ranks have given to it, the call answers.
 */
class Ranks {
  private readonly calls: (Tensor | undefined)[][] = [];
  private rank = 0;
  private call = 0;
  /** how often each kind of call was answered in the last round */
  answered = { allGather: 0, allReduce: 0 };
  readonly collective: nn.Collective;

  constructor(readonly worldSize: number) {
    this.collective = {
      worldSize,
      allGather: (x) => this.exchange("allGather", x),
      allReduce: (x) => this.exchange("allReduce", x).reduce((a, b) => a.add(b)),
    };
  }

  private exchange(kind: "allGather" | "allReduce", x: Tensor): Tensor[] {
    this.calls[this.call] ??= [];
    const given = this.calls[this.call++];
    given[this.rank] ??= x.clone().keep();
    const all = Array.from({ length: this.worldSize }, (_, r) => given[r]);
    if (all.every((one) => one !== undefined)) {
      this.answered[kind]++;
      return all as Tensor[];
    }
    return all.map((one) => one ?? x);
  }

  /** Runs a pass of every rank, in lockstep; `calls` is how many exchanges it makes. */
  run<T>(calls: number, pass: (rank: number) => T): T[] {
    const round = () =>
      Array.from({ length: this.worldSize }, (_, rank) => {
        [this.rank, this.call] = [rank, 0];
        return pass(rank);
      });
    // Each round completes one more exchange: what a rank gives to the next one depends on the answers before.
    for (let i = 0; i < calls; i++) {
      round();
      this.calls.length = i + 1;
    }
    this.answered = { allGather: 0, allReduce: 0 };
    return round();
  }
}

beforeEach(() => manualSeed(3));
afterEach(() => setDefaultCollective(null));

interface Result {
  y: Tensor;
  gx: Tensor;
  weight: Tensor;
  bias: Tensor;
  state: Map<string, Tensor>;
}

/** One training step of a fresh layer, forward and backward. */
function step(layer: nn.BatchNorm1d | nn.SyncBatchNorm, x: Tensor, g: Tensor): Result {
  layer.weight?.detach().copy_(tensor([0.5, -1, 2]));
  layer.bias?.detach().copy_(tensor([1, 2, 3]));
  const input = x.clone().requiresGrad_();
  const y = layer.forward(input);
  y.backward(g);
  return {
    y,
    gx: input.grad as Tensor,
    weight: layer.weight?.grad as Tensor,
    bias: layer.bias?.grad as Tensor,
    state: layer.stateDict(),
  };
}

describe("over several processes", () => {
  test.each([[[4, 4]], [[2, 5, 3]], [[1, 1, 1]], [[6, 0]]])(
    "ranks with %j samples give what one process with all of them gives",
    (sizes) => {
      const total = sizes.reduce((a, b) => a + b);
      const [x, g] = [randn([total, 3, 4]).add(5), randn([total, 3, 4])];
      const [xs, gs] = [x.split(sizes), g.split(sizes)];
      const whole = step(new nn.BatchNorm1d(3), x, g);
      const ranks = new Ranks(sizes.length);
      const results = ranks.run(2, (rank) =>
        step(new nn.SyncBatchNorm(3, { processGroup: ranks.collective }), xs[rank].contiguous(), gs[rank].contiguous()),
      );
      const joined = (name: "y" | "gx") => results.flatMap((result) => [...result[name].toTypedArray()].map(Number));
      expect(relativeError(joined("y"), whole.y.toTypedArray())).toBeLessThan(1e-6);
      expect(relativeError(joined("gx"), whole.gx.toTypedArray())).toBeLessThan(2e-6);
      // The gradients of the parameters are each rank's own share: whoever averages gradients adds them up.
      for (const name of ["weight", "bias"] as const) {
        const sum = results.map((result) => result[name]).reduce((a, b) => a.add(b));
        expect(relativeError(sum.toTypedArray(), whole[name].toTypedArray()), name).toBeLessThan(2e-6);
      }
      for (const { state } of results) {
        for (const name of ["running_mean", "running_var", "num_batches_tracked"]) {
          const [found, expected] = [state.get(name), whole.state.get(name)].map((t) => t?.toTypedArray() ?? []);
          expect(relativeError(found, expected), name).toBeLessThan(1e-6);
        }
      }
    },
  );

  test("one exchange forward and one backward, float64 statistics to the last digits", () => {
    const ranks = new Ranks(2);
    const x = randn([6, 3], { dtype: "float64" }).add(1e6);
    const run = (rank: number) => {
      const layer = new nn.SyncBatchNorm(3, { processGroup: ranks.collective, dtype: "float64", momentum: 1 });
      const input = x
        .narrow(0, 3 * rank, 3)
        .contiguous()
        .requiresGrad_();
      layer.forward(input).square().sum().backward();
      return layer.runningVar as Tensor;
    };
    const [found] = ranks.run(2, run);
    expect(ranks.answered).toEqual({ allGather: 2, allReduce: 2 });
    expect(relativeError(found.toTypedArray(), x.var(0).toTypedArray())).toBeLessThan(1e-9);
  });

  test.each(["relu", "gelu", null] as const)(
    "with %s behind it in the same pass: the bits of one after the other, twice derived too",
    (activation) => {
      const [x, residual, g] = Array.from({ length: 3 }, () => randn([6, 3, 2, 2]));
      const pass = (joined: boolean, penalty: boolean) => {
        const ranks = new Ranks(2);
        return ranks.run(penalty ? 14 : 2, (rank) => {
          const part = (t: Tensor) => t.narrow(0, rank === 0 ? 0 : 2, rank === 0 ? 2 : 4).contiguous();
          const [input, added] = [part(x).requiresGrad_(), part(residual).requiresGrad_()];
          const options = { processGroup: ranks.collective };
          const layer = joined
            ? (nn.convertSyncBatchNorm(new nn.BatchNormAct2d(3, { activation }), options) as nn.BatchNormAct2d)
            : new nn.SyncBatchNorm(3, options);
          layer.weight?.detach().copy_(tensor([0.5, -1, 2]));
          const after = (sum: Tensor) =>
            activation === "relu" ? F.relu(sum) : activation === "gelu" ? F.gelu(sum) : sum;
          const y =
            layer instanceof nn.BatchNormAct2d
              ? layer.forward(input, { residual: added })
              : after(layer.forward(input).add(added));
          if (!penalty) y.backward(part(g));
          else {
            const [gx] = autograd.grad([y.mul(part(g)).sum()], [input], { createGraph: true });
            (gx as Tensor).square().sum().backward();
          }
          const { weight, bias } = layer;
          return [y, input.grad, added.grad, weight?.grad, bias?.grad].map((t) => t?.toArray() ?? null);
        });
      };
      expect(pass(true, false)).toEqual(pass(false, false));
      const [one, other] = [pass(true, true), pass(false, true)].map((ranks) =>
        (ranks as unknown[]).flat(9).map(Number),
      );
      expect(relativeError(one, other)).toBeLessThan(1e-5);
    },
  );

  test.each([[[4, 2]], [[1, 5, 0]]])(
    "ranks with %j samples: gradients of gradients are those of one process",
    (sizes) => {
      const total = sizes.reduce((a, b) => a + b);
      const draw = () => randn([total, 3, 4], { dtype: "float64" });
      const [x, g, v] = [draw(), draw(), draw()];
      const penalty = (layer: nn.BatchNorm1d | nn.SyncBatchNorm, from: number, count: number) => {
        const part = (t: Tensor) => t.narrow(0, from, count).contiguous();
        const input = part(x).requiresGrad_();
        const [gx] = autograd.grad([layer.forward(input).mul(part(g)).sum()], [input], { createGraph: true });
        (gx as Tensor).square().mul(part(v)).sum().backward();
        return [input.grad, layer.weight?.grad].map((t) => [...(t as Tensor).toTypedArray()].map(Number));
      };
      const whole = penalty(new nn.BatchNorm1d(3, { dtype: "float64" }), 0, total);
      const ranks = new Ranks(sizes.length);
      // 1 exchange forward, 4 in the first backward, as many again in the second
      const results = ranks.run(9, (rank) => {
        const layer = new nn.SyncBatchNorm(3, { processGroup: ranks.collective, dtype: "float64" });
        const from = sizes.slice(0, rank).reduce((a, b) => a + b, 0);
        return penalty(layer, from, sizes[rank]);
      });
      expect(
        relativeError(
          results.flatMap(([gx]) => gx),
          whole[0],
        ),
      ).toBeLessThan(1e-10);
      const weight = results.map(([, w]) => w).reduce((a, b) => a.map((value, i) => value + b[i]));
      expect(relativeError(weight, whole[1])).toBeLessThan(1e-10);
    },
  );

  test("evaluation exchanges nothing; whoever trains together is the default", () => {
    const refuse = () => {
      throw new Error("exchanged");
    };
    setDefaultCollective({ worldSize: 2, allGather: refuse, allReduce: refuse });
    const layer = new nn.SyncBatchNorm(3);
    expect(() => layer.forward(randn([2, 3]))).toThrow("exchanged");
    expect(layer.eval().forward(randn([2, 3])).shape).toEqual([2, 3]);
    const untracked = new nn.SyncBatchNorm(3, { trackRunningStats: false }).eval();
    expect(untracked.forward(randn([2, 3])).shape).toEqual([2, 3]);
    setDefaultCollective({ worldSize: 1, allGather: refuse, allReduce: refuse });
    expect(layer.train().forward(randn([2, 3])).shape).toEqual([2, 3]);
  });
});

describe("alone it is batch norm", () => {
  test.each([[[6, 3]], [[4, 3, 5]], [[2, 3, 4, 4]], [[2, 3, 2, 3, 2]], [[2, 3, 1, 2, 2, 2]]])("%j", (shape) => {
    const [sync, batch] = [new nn.SyncBatchNorm(3), new nn.BatchNorm2d(3)];
    const x = randn(shape);
    const flat = x.reshape([shape[0], 3, -1, 1]);
    expect(sync.forward(x).flatten().toArray()).toEqual(batch.forward(flat).flatten().toArray());
    expect(sync.runningVar?.toArray()).toEqual(batch.runningVar?.toArray());
  });

  test.each<[string, () => unknown]>([
    ["expected at least 2D input (got 1D input)", () => new nn.SyncBatchNorm(3).forward(randn([3]))],
    ["SyncBatchNorm number of input channels should be non-zero", () => new nn.SyncBatchNorm(0).forward(randn([3, 0]))],
    ["running_mean should contain 4 elements not 3", () => new nn.SyncBatchNorm(3).forward(randn([2, 4]))],
    [
      "Expected more than 1 value per channel when training, got input size torch.Size([1, 3])",
      () => new nn.SyncBatchNorm(3).forward(randn([1, 3])),
    ],
  ])("%s", (sentence, run) => {
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(sentence);
  });
});

describe("convertSyncBatchNorm", () => {
  class Block extends nn.Module {
    conv = new nn.Conv2d(3, 4, 3);
    bn = new nn.BatchNorm2d(4, { momentum: null, eps: 1e-3 });
    again = this.bn;
    inner = new nn.ModuleDict({ a: new nn.BatchNorm1d(2, { affine: false }), b: new nn.InstanceNorm1d(2) });
    act = new nn.BatchNormAct2d(4);
    list = new nn.Sequential(new nn.BatchNorm3d(2, { bias: false }), new nn.GroupNorm(1, 2));
    forward(x: Tensor) {
      return this.bn.forward(this.conv.forward(x));
    }
  }

  test("shares parameters and buffers, keeps modes and options, and leaves the rest", () => {
    const model = new Block();
    const { bn } = model;
    bn.eval();
    const before = model.stateDict();
    const parameters = model.parameters();
    expect(nn.convertSyncBatchNorm(model)).toBe(model);
    const made = model.getSubmodule("bn") as nn.SyncBatchNorm;
    expect(made).toBeInstanceOf(nn.SyncBatchNorm);
    expect(model.getSubmodule("again")).toBe(made);
    expect([made.weight, made.bias]).toEqual([bn.weight, bn.bias]);
    expect(made.weight).toBe(bn.weight);
    expect(made.runningMean).toBe(bn.runningMean);
    expect(made.numBatchesTracked).toBe(bn.numBatchesTracked);
    expect([made.training, made.momentum, made.eps, made.numFeatures]).toEqual([false, null, 1e-3, 4]);
    expect(model.parameters()).toEqual(parameters);
    expect([...model.stateDict().keys()]).toEqual([...before.keys()]);
    expect(String(model.getSubmodule("inner"))).toBe(
      "ModuleDict(\n  (a): SyncBatchNorm(2, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)\n" +
        "  (b): InstanceNorm1d(2, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)\n)",
    );
    expect(model.list.at(0).className).toBe("SyncBatchNorm");
    expect((model.list.at(0) as nn.SyncBatchNorm).bias).toBeNull();
    expect(model.list.at(1).className).toBe("GroupNorm");
    expect(model.act.className).toBe("BatchNormAct2d");
    model.forward(randn([2, 3, 4, 4]));
  });

  test("a batch norm itself becomes one; BatchNormAct2d takes part", () => {
    const refuse = () => {
      throw new Error("exchanged");
    };
    const processGroup = { worldSize: 2, allGather: refuse, allReduce: refuse };
    expect(nn.convertSyncBatchNorm(new nn.BatchNorm1d(3))).toBeInstanceOf(nn.SyncBatchNorm);
    const layer = nn.convertSyncBatchNorm(new nn.BatchNormAct2d(3), { processGroup });
    expect(() => layer.forward(randn([2, 3, 2, 2]))).toThrow("exchanged");
  });

  test("a lazy layer has to know its channels first", () => {
    expect(() => nn.convertSyncBatchNorm(new nn.LazyBatchNorm1d())).toThrow(ArgumentError);
  });
});
