import { memoryUsage, noGrad, randn, randperm, sub_, type Tensor, tensor } from "evenkeel";
import { describe, expect, it } from "vitest";
import { closeScope, openScope, StepMemory } from "../../src/tensor/memory.ts";

/** A gradient descent of one line, with the memory rule that all optimizers have. */
class Descent {
  private readonly memory = new StepMemory();
  constructor(
    private readonly params: readonly Tensor[],
    private readonly lr = 0.01,
  ) {}
  step(): void {
    noGrad(() => {
      for (const param of this.params) if (param.grad) sub_(param, param.grad, { alpha: this.lr });
    });
    this.memory.onStep();
  }
  zeroGrad(): void {
    for (const param of this.params) param.releaseGrad();
    this.memory.onZeroGrad();
  }
}

function problem() {
  const x = randn([32, 8]);
  const target = randn([32, 1]);
  const w = randn([8, 16], { requiresGrad: true });
  const v = randn([16, 1], { requiresGrad: true });
  const forward = () => x.matmul(w).tanh().matmul(v);
  const loss = () => forward().sub(target).square().mean();
  return { params: [w, v], forward, loss };
}

/** Runs a loop and checks that from the third iteration on it ends with as much memory as the one before. */
function holdsFlat(iterations: number, body: (i: number) => void): void {
  const usage: number[] = [];
  for (let i = 0; i < iterations; i++) {
    body(i);
    usage.push(memoryUsage().program + memoryUsage().pinned + memoryUsage().scoped);
  }
  for (let i = 4; i < iterations; i++) expect(usage[i]).toBe(usage[3]);
}

describe("loops without a loader", () => {
  it("zeroGrad, forward, backward, step", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    const seen: number[] = [];
    holdsFlat(20, () => {
      optimizer.zeroGrad();
      const now = loss();
      now.backward();
      optimizer.step();
      seen.push(now.item());
    });
    expect(seen[19]).toBeLessThan(seen[0]);
  });

  it("forward, zeroGrad, backward, step", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    holdsFlat(20, () => {
      const now = loss();
      optimizer.zeroGrad();
      now.backward();
      optimizer.step();
      expect(Number.isFinite(now.item())).toBe(true);
    });
  });

  it("forward, backward, step, zeroGrad, and the loss read afterwards", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    holdsFlat(20, () => {
      const now = loss();
      now.backward();
      optimizer.step();
      optimizer.zeroGrad();
      expect(Number.isFinite(now.item())).toBe(true);
    });
  });

  it("the loss of the step before can be compared with", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    let before: Tensor | undefined;
    holdsFlat(20, () => {
      optimizer.zeroGrad();
      const now = loss();
      now.backward();
      optimizer.step();
      if (before) expect(now.sub(before).item()).toBeLessThan(10);
      before = now;
    });
  });

  it("a running sum of losses", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    let sum = tensor(0);
    let expected = 0;
    holdsFlat(20, () => {
      optimizer.zeroGrad();
      const now = loss();
      now.backward();
      optimizer.step();
      sum = sum.add(now.detach());
      expected += now.item();
    });
    expect(sum.item()).toBeCloseTo(expected, 2);
  });

  const orders: Record<string, (optimizer: Descent, loss: () => Tensor) => Tensor> = {
    "zeroGrad first": (optimizer, loss) => {
      optimizer.zeroGrad();
      const now = loss();
      now.backward();
      optimizer.step();
      return now;
    },
    "zeroGrad before backward": (optimizer, loss) => {
      const now = loss();
      optimizer.zeroGrad();
      now.backward();
      optimizer.step();
      return now;
    },
    "zeroGrad last": (optimizer, loss) => {
      const now = loss();
      now.backward();
      optimizer.step();
      optimizer.zeroGrad();
      return now;
    },
  };

  it.each(Object.entries(orders))("an epoch's permutation, shuffled copy and scale: %s", (_, iterate) => {
    const x = randn([64, 8]);
    const w = randn([8, 1], { requiresGrad: true });
    const optimizer = new Descent([w]);
    holdsFlat(12, () => {
      const order = randperm(64);
      const shuffled = x.indexSelect(0, order);
      const scale = tensor(0.5);
      for (let i = 0; i < 8; i++) {
        const rows = order.narrow(0, 8 * i, 8);
        const loss = () =>
          x
            .indexSelect(0, rows)
            .matmul(w)
            .add(shuffled.narrow(0, 8 * i, 8).matmul(w))
            .mul(scale)
            .square()
            .mean();
        expect(Number.isFinite(iterate(optimizer, loss).item())).toBe(true);
      }
    });
  });

  it.each(Object.entries(orders))("a detached state carried from step to step: %s", (_, iterate) => {
    const w = randn([16, 16]).mul(0.1).requiresGrad_();
    const optimizer = new Descent([w]);
    let state = randn([4, 16]);
    holdsFlat(20, () => {
      iterate(optimizer, () => {
        const next = state.matmul(w).tanh();
        state = next.detach();
        return next.square().mean();
      });
    });
  });

  it("gradients accumulated over several batches", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    holdsFlat(20, () => {
      optimizer.zeroGrad();
      for (let part = 0; part < 3; part++) loss().div(3).backward();
      optimizer.step();
    });
  });

  it("two optimizers that alternate on each other's results", () => {
    const first = problem();
    const second = problem();
    const [a, b] = [new Descent(first.params), new Descent(second.params)];
    holdsFlat(20, () => {
      a.zeroGrad();
      const made = first.forward();
      made.square().mean().backward();
      a.step();
      b.zeroGrad();
      made.detach().sub(second.forward()).square().mean().backward();
      b.step();
    });
  });

  it("evaluation between the steps", () => {
    const { params, loss, forward } = problem();
    const optimizer = new Descent(params);
    const fixed = randn([4]);
    holdsFlat(20, () => {
      optimizer.zeroGrad();
      loss().backward();
      optimizer.step();
      const score = noGrad(() => forward().abs().mean());
      expect(score.item()).toBeGreaterThan(0);
    });
    expect(fixed.toArray().length).toBe(4);
  });

  it("inside tidy, and inside iterations of a loader", () => {
    for (const kind of ["tidy", "iteration"] as const) {
      const { params, loss } = problem();
      const optimizer = new Descent(params);
      holdsFlat(20, () => {
        const scope = openScope(kind);
        optimizer.zeroGrad();
        loss().backward();
        optimizer.step();
        closeScope(scope);
      });
    }
  });

  it("frees nothing of a step that has not been taken", () => {
    const { params, loss } = problem();
    const optimizer = new Descent(params);
    optimizer.zeroGrad();
    const now = loss();
    optimizer.zeroGrad();
    optimizer.zeroGrad();
    now.backward();
    optimizer.step();
    expect(params[0].grad?.shape).toEqual([8, 16]);
  });
});
