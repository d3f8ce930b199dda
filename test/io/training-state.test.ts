import { describe, expect, test } from "vitest";
import {
  arange,
  CheckpointError,
  data,
  F,
  Generator,
  io,
  manualSeed,
  nn,
  optim,
  rand,
  randn,
  StateDictError,
  type Tensor,
  tensor,
} from "../../src/index.ts";
import { bitsOfTensor } from "./bits.ts";

const images = (() => {
  manualSeed(5);
  return [randn([50, 6]), tensor(Float32Array.from({ length: 50 }, (_, i) => i % 3)).to("int64")] as const;
})();

type Kind = "sgd" | "adam";

/** A run of dropout, batch norm, a shuffled loader and a scheduler: everything that has a state. */
function makeRun(kind: Kind, own: boolean) {
  manualSeed(1);
  const model = new nn.Sequential(
    new nn.Linear(6, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout({ p: 0.3 }),
    new nn.Linear(8, 3),
  );
  const optimizer =
    kind === "sgd"
      ? new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 1e-3 })
      : new optim.Adam(model.parameters(), { lr: 0.01, amsgrad: true });
  const scheduler =
    kind === "sgd"
      ? new optim.OneCycleLR(optimizer, 0.2, { totalSteps: 40 })
      : new optim.CosineAnnealingLR(optimizer, 40);
  const generator = own ? new Generator(9) : undefined;
  const loader = new data.DataLoader(new data.TensorDataset(...images), { batchSize: 8, shuffle: true, generator });
  return { model, optimizer, scheduler, loader };
}

type Run = ReturnType<typeof makeRun>;

/** Trains for three epochs; calls `afterStep` with the number of the step and of the epoch. */
async function train(
  run: Run,
  from: { epoch: number; step: number },
  afterStep: (at: typeof from) => Promise<boolean>,
) {
  let { step } = from;
  for (let { epoch } = from; epoch < 3; epoch++) {
    for await (const [x, y] of run.loader) {
      run.optimizer.zeroGrad();
      F.crossEntropy(run.model.forward(x), y).backward();
      run.optimizer.step();
      run.scheduler.step();
      step++;
      if (!(await afterStep({ epoch, step }))) return;
    }
  }
}

const bits = (run: Run) =>
  [...run.model.stateDict()].map(([key, x]) => [key, Buffer.from(bitsOfTensor(x)).toString("hex")]);

describe.each<[Kind, boolean]>([
  ["sgd", false],
  ["adam", true],
])("%s, a generator of the loader's own: %s", (kind, own) => {
  test("stopped after any step and resumed, the weights are the same to the bit", async () => {
    const whole = makeRun(kind, own);
    const saved: Uint8Array[] = [];
    await train(whole, { epoch: 0, step: 0 }, async (at) => {
      saved.push(await io.saveTrainingState(null, whole, at));
      return true;
    });
    expect(saved.length).toBe(21);
    const expected = bits(whole);
    const drawn = rand([3]).toArray();
    // the middle of an epoch, its first and its last batch, and the very last step
    for (const step of [1, 4, 7, 8, 13, 14, 20, 21]) {
      const run = makeRun(kind, own);
      rand([7]);
      const at = await io.loadTrainingState<{ epoch: number; step: number }>(saved[step - 1], run);
      expect(at.step).toBe(step);
      await train(run, at, async () => true);
      expect(bits(run)).toEqual(expected);
      expect(rand([3]).toArray()).toEqual(drawn);
    }
  });

  test("resumed twice in one epoch", async () => {
    const whole = makeRun(kind, own);
    await train(whole, { epoch: 0, step: 0 }, async () => true);
    let at = { epoch: 0, step: 0 };
    let bytes: Uint8Array | null = null;
    let run = makeRun(kind, own);
    for (const stop of [2, 5, 9, 30]) {
      run = makeRun(kind, own);
      if (bytes) at = await io.loadTrainingState(bytes, run);
      await train(run, at, async (now) => {
        if (now.step < stop) return true;
        bytes = await io.saveTrainingState(null, run, now);
        return false;
      });
    }
    expect(bits(run)).toEqual(bits(whole));
  });
});

describe("positions of a loader", () => {
  const orderOf = async (loader: data.DataLoader<Tensor[], Tensor[]>) => {
    const found: unknown[] = [];
    for await (const [x] of loader) found.push(x.toArray());
    return found;
  };
  const make = (options: object = {}) =>
    new data.DataLoader(new data.TensorDataset(arange(10)), { batchSize: 4, shuffle: true, ...options });

  test.each([{}, { dropLast: true }, { batchSize: 5 }, { shuffle: false }])(
    "%j: the rest of a pass, then whole passes",
    async (options) => {
      manualSeed(3);
      const loader = make(options);
      const seen: unknown[] = [];
      let state: data.LoaderState | undefined;
      for await (const [x] of loader) {
        seen.push(x.toArray());
        if (seen.length === 1) {
          const { order, ...rest } = loader.stateDict();
          state = { ...rest, order: order?.keep() ?? null };
        }
      }
      const resumed = make(options);
      resumed.loadStateDict(state!);
      expect(resumed.stateDict().batches).toBe(1);
      expect(await orderOf(resumed)).toEqual(seen.slice(1));
      expect((await orderOf(resumed)).length).toBe(resumed.length);
      expect(resumed.stateDict().order).toBe(null);
    },
  );

  test("a pass that was left ends there", async () => {
    const loader = make();
    for await (const _ of loader) break;
    expect(loader.stateDict()).toEqual({ batches: 0, order: null, generator: null });
  });

  test("another data set or generator is refused", () => {
    const order = tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 10], { dtype: "int32" });
    expect(() => make().loadStateDict({ batches: 1, order, generator: null })).toThrow(/has the index 10; here are 10/);
    expect(() => make().loadStateDict({ batches: 1, order: order.narrow(0, 0, 3), generator: null })).toThrow(
      StateDictError,
    );
    const generator = new Generator(1);
    expect(() => make({ generator }).loadStateDict({ batches: 0, order: null, generator: null })).toThrow(
      /has no generator/,
    );
  });
});

describe("refusals", () => {
  test("another file, or other parts", async () => {
    const model = new nn.Linear(2, 2);
    const optimizer = new optim.SGD(model.parameters());
    await expect(io.loadTrainingState(await io.save(null, model.stateDict()), { model })).rejects.toThrow(
      /no training state/,
    );
    const bytes = await io.saveTrainingState(null, { model, optimizer });
    await expect(io.loadTrainingState(bytes, { model })).rejects.toThrow(
      /"optimizer": it was saved with one, and none was given/,
    );
    const generators = { noise: new Generator(1) };
    await expect(io.loadTrainingState(bytes, { model, optimizer, generators })).rejects.toThrow(/generators\.noise/);
    await expect(io.loadTrainingState(bytes, { model: new nn.Linear(3, 2), optimizer })).rejects.toThrow(
      StateDictError,
    );
    await expect(io.loadTrainingState("none.pt", { model })).rejects.toThrow(CheckpointError);
  });

  test("further generators go on", async () => {
    const model = new nn.Linear(2, 2);
    const generators = { noise: new Generator(1) };
    const bytes = await io.saveTrainingState(null, { model, generators });
    const next = generators.noise.random32();
    await io.loadTrainingState(bytes, { model, generators });
    expect(generators.noise.random32()).toBe(next);
  });
});
