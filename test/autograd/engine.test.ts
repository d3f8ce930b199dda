import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  autograd,
  enableGrad,
  exp,
  matmul,
  memoryUsage,
  mul,
  noGrad,
  ones,
  sigmoid,
  sum,
  type Tensor,
  tensor,
} from "../../src/index.ts";
import { checkGradients, leaf } from "../ops/checking.ts";

const wanting = (values: number[]) => tensor(values, { requiresGrad: true });

describe("backward", () => {
  it.each(["leaf", "function"])("that fails in a %s's hook holds no gradient any longer", (where) => {
    const [x, z] = [wanting([2, 3]), wanting([5, 7])];
    const [a, b] = [x.mul(2), z.mul(5)];
    const y = a.add(b);
    const upstream = tensor([1, 10]);
    const held = memoryUsage().tensors;
    // Theirs come first: those of x and a are on their way meanwhile.
    (where === "leaf" ? z : b).registerHook(() => {
      throw new Error("a hook");
    });
    expect(() => y.backward(upstream)).toThrow("a hook");
    expect(upstream.storage.holds).toBe(0);
    // What the hook has seen may be kept by it: the leaf's gradient, or upstream itself.
    expect(memoryUsage().tensors - held).toBe(where === "leaf" ? 1 : 0);
    expect(x.grad).toBeNull();
  });

  it("adds up over uses and over calls", () => {
    const x = wanting([2, 3]);
    mul(x, x)
      .add(x)
      .backward(tensor([1, 10]));
    expect(x.grad!.toArray()).toEqual([5, 70]);
    x.mul(2).backward(tensor([1, 1]));
    expect(x.grad!.toArray()).toEqual([7, 72]);
  });

  it("visits a function once, after everything that uses it", () => {
    const x = wanting([2]);
    const calls: number[] = [];
    const y = x.mul(3);
    y.registerHook((g) => {
      calls.push(g.item());
      return undefined;
    });
    const a = y.mul(2);
    const b = a.mul(y);
    b.add(y).add(a).backward();
    // b = 2y²: 4y + 1 + 2 at y = 6
    expect(calls).toEqual([27]);
    expect(x.grad!.toArray()).toEqual([81]);
  });

  it("gives each leaf a gradient of its own, and leaves the caller's alone", () => {
    const [x, y] = [wanting([1, 2]), wanting([3, 4])];
    const g = tensor([5, 6]);
    x.add(y).backward(g);
    x.grad!.mul_(10);
    expect(y.grad!.toArray()).toEqual([5, 6]);
    expect(g.toArray()).toEqual([5, 6]);
    y.grad!.mul_(10);
    expect(g.toArray()).toEqual([5, 6]);
    expect(x.grad!.toArray()).toEqual([50, 60]);
  });

  it("makes contiguous gradients of broadcast ones", () => {
    const x = wanting([1, 2, 3]);
    x.sum().backward();
    expect(x.grad!.isContiguous).toBe(true);
    x.grad!.add_(tensor([1, 2, 3]));
    expect(x.grad!.toArray()).toEqual([2, 3, 4]);
  });

  it("reaches only what wants a gradient", () => {
    const [x, y] = [wanting([1]), tensor([2])];
    mul(x, y).backward();
    expect(x.grad!.toArray()).toEqual([2]);
    expect(y.grad).toBeNull();
    const z = mul(x.detach(), y);
    expect(z.requiresGrad).toBe(false);
    expect(z.isLeaf).toBe(true);
    expect(mul(x, y).isLeaf).toBe(false);
  });

  it("takes several outputs at once", () => {
    const x = wanting([2, 3]);
    autograd.backward([x.mul(2), x.sum()], [tensor([1, 2]), tensor(10)]);
    expect(x.grad!.toArray()).toEqual([12, 14]);
  });

  it("goes through ten thousand operations in a row", () => {
    const x = wanting([1]);
    let y: Tensor = x;
    for (let i = 0; i < 10_000; i++) y = y.add(1);
    y.backward();
    expect(x.grad!.toArray()).toEqual([1]);
  });

  it("runs twice only if asked to keep what was saved", () => {
    const x = wanting([3]);
    const y = mul(x, x);
    y.backward(null, { retainGraph: true });
    y.backward();
    expect(x.grad!.toArray()).toEqual([12]);
    expect(() => y.backward()).toThrow("Trying to backward through the graph a second time");
  });

  it("gives back the memory of all gradients but the leaves'", () => {
    const x = leaf([50], 1);
    const w = leaf([50, 50], 2);
    const run = () => {
      const y = sigmoid(matmul(w, x).mul(x).add(x)).sum();
      const before = memoryUsage().tensors;
      y.backward();
      return memoryUsage().tensors - before;
    };
    // the two new gradients; afterwards none
    expect(run()).toBe(2);
    expect(run()).toBe(0);
  });
});

describe("refuses", () => {
  it("with PyTorch's sentences", () => {
    const x = wanting([1, 2]);
    expect(() => x.mul(2).backward()).toThrow("grad can be implicitly created only for scalar outputs");
    expect(() => tensor([1]).backward()).toThrow(
      "element 0 of tensors does not require grad and does not have a grad_fn",
    );
    expect(() => x.mul(2).backward(ones([3]))).toThrow(
      "Mismatch in shape: grad_output[0] has a shape of torch.Size([3]) and output[0] has a shape of torch.Size([2]).",
    );
    expect(() => tensor([1, 2], { dtype: "int64", requiresGrad: true })).toThrow(
      "only Tensors of floating point and complex dtype can require gradients",
    );
    expect(() => {
      x.mul(2).requiresGrad = false;
    }).toThrow("you can only change requires_grad flags of leaf variables");
  });

  it("saved tensors that were changed in place", () => {
    const x = wanting([1, 2]);
    const y = x.mul(2);
    const z = mul(y, y);
    noGrad(() => y.add_(1));
    expect(() => z.backward(ones([2]))).toThrow(
      "one of the variables needed for gradient computation has been modified by an inplace operation",
    );
  });

  it("but not changes that no gradient reads", () => {
    const x = wanting([1, 2]);
    const y = exp(x);
    const z = y.add(1);
    noGrad(() => z.add_(1));
    z.backward(ones([2]));
    expect(x.grad!.toArray()[0]).toBeCloseTo(Math.E, 5);
  });

  it("in-place changes of leaves and of tensors with history", () => {
    const x = wanting([1, 2]);
    expect(() => x.add_(1)).toThrow("a leaf Variable that requires grad is being used in an in-place operation.");
    expect(() => x.mul(2).add_(1)).toThrow("a tensor with history (MulBackward0) is being changed in place");
    noGrad(() => x.add_(1));
    expect(x.toArray()).toEqual([2, 3]);
  });
});

describe("retainGrad and hooks", () => {
  it("keep the gradient of an intermediate tensor", () => {
    const x = wanting([2]);
    const y = x.mul(3);
    y.retainGrad();
    mul(y, y).backward();
    expect(y.grad!.toArray()).toEqual([12]);
    expect(x.grad!.toArray()).toEqual([36]);
    expect(() => tensor([1]).retainGrad()).toThrow("can't retain_grad on Tensor that has requires_grad=False");
  });

  it("see and replace gradients, in order, until removed", () => {
    const x = wanting([2]);
    const y = x.mul(3);
    y.registerHook((g) => g.add(1));
    const remove = y.registerHook((g) => g.mul(10));
    x.registerHook((g) => g.mul(-1));
    y.backward(tensor([4]), { retainGraph: true });
    expect(x.grad!.toArray()).toEqual([-150]);
    remove();
    x.grad = null;
    y.backward(tensor([4]));
    expect(x.grad!.toArray()).toEqual([-15]);
  });

  it("may keep the gradient they saw", () => {
    const x = wanting([1, 2]);
    const y = x.mul(3);
    let seen: Tensor | undefined;
    y.registerHook((g) => {
      seen = g;
      return undefined;
    });
    y.mul(2).backward(tensor([1, 1]));
    expect(seen!.toArray()).toEqual([2, 2]);
  });
});

describe("grad", () => {
  it("runs nothing below what was asked for, and leaves that part of the graph usable", () => {
    const x = tensor([2, 3], { requiresGrad: true });
    const h = x.mul(x);
    let below = 0;
    x.registerHook(() => {
      below++;
      return undefined;
    });
    const y = h.mul(h).sum();
    expect(autograd.grad([y], [h])[0]?.toArray()).toEqual([8, 18]);
    expect(below).toBe(0);
    h.sum().backward();
    expect(x.grad?.toArray()).toEqual([4, 6]);
  });

  it("returns gradients and touches none", () => {
    const x = wanting([2]);
    const y = x.mul(3);
    const z = mul(y, y);
    const [gx, gy] = autograd.grad([z], [x, y], { retainGraph: true });
    expect([gx!.item(), gy!.item()]).toEqual([36, 12]);
    expect(x.grad).toBeNull();
    const [gz] = autograd.grad([z], [z]);
    expect(gz!.item()).toBe(1);
  });

  it("says which input was not used", () => {
    const [x, y] = [wanting([2]), wanting([1])];
    expect(() => autograd.grad([x.mul(2)], [y])).toThrow(
      "One of the differentiated Tensors appears to not have been used in the graph.",
    );
    expect(autograd.grad([x.mul(2)], [x, y], { allowUnused: true })[1]).toBeNull();
  });

  it("differentiates gradients again", () => {
    const x = tensor([0.5], { dtype: "float64", requiresGrad: true });
    let y: Tensor = x.sin();
    for (let order = 1; order <= 4; order++) [y] = autograd.grad([y], [x], { createGraph: true }) as Tensor[];
    expect(y.item()).toBeCloseTo(Math.sin(0.5), 12);
  });

  it("gradient penalty: a loss of gradients trains", () => {
    const penalty = (v: Tensor) =>
      enableGrad(() => {
        const x = tensor([1, 2, 3], { dtype: "float64", requiresGrad: true });
        const [g] = autograd.grad([sum(mul(v, x.mul(x)))], [x], { createGraph: true });
        return sum(mul(g!, g!));
      });
    checkGradients(penalty, [leaf([3], 1)]);
  });

  it("backward with createGraph gives gradients a history", () => {
    const x = wanting([3]);
    mul(mul(x, x), x).backward(null, { createGraph: true });
    expect(x.grad!.requiresGrad).toBe(true);
    const [second] = autograd.grad([x.grad!], [x]);
    expect(second!.item()).toBe(18);
  });
});

describe("properties", () => {
  const steps: ((a: Tensor, b: Tensor) => Tensor)[] = [
    add,
    mul,
    (a, b) => a.sub(b),
    (a) => sigmoid(a),
    (a, b) => a.mul(0.5).add(b.sin()),
    (a) => a.t().contiguous().t(),
    (a, b) => a.sum(0).add(b),
    (a, b) => a.reshape([-1]).reshape(a.shape).mul(b.mean()),
  ];
  /** [operation, operand, operand]: operands count from the latest result */
  const program = fc.array(fc.tuple(fc.nat(steps.length - 1), fc.nat(4), fc.nat(4)), { minLength: 1, maxLength: 8 });

  it("random graphs have right first and second derivatives", () => {
    fc.assert(
      fc.property(program, (lines) => {
        const compute = (...inputs: Tensor[]) => {
          const values = [...inputs];
          for (const [op, i, j] of lines) {
            values.push(steps[op](values.at(-1 - (i % values.length))!, values.at(-1 - (j % values.length))!));
          }
          return values[values.length - 1];
        };
        checkGradients(compute, [leaf([2, 2], 1), leaf([2, 2], 2)]);
      }),
      { numRuns: 25 },
    );
  });

  it("the gradient is linear in what arrives", () => {
    const x = leaf([3], 3);
    const y = exp(mul(x, x));
    const at = (g: Tensor) => autograd.grad([y], [x], { gradOutputs: [g], retainGraph: true })[0]!;
    const [a, b] = [leaf([3], 4).detach(), leaf([3], 5).detach()];
    const [left, right] = [at(a.add(b)).toArray(), at(a).add(at(b)).toArray()];
    left.forEach((value: number, i: number) => {
      expect(value).toBeCloseTo(right[i], 12);
    });
  });
});

describe("registerPostAccumulateGradHook", () => {
  it("is called once, when the gradient is complete, before earlier layers are walked", () => {
    const [w, v] = [wanting([2]), wanting([3])];
    const seen: string[] = [];
    const hidden = w.mul(5);
    hidden.registerHook(() => void seen.push("hidden"));
    v.registerPostAccumulateGradHook((leaf) => seen.push(`v ${leaf.grad!.item()}`));
    const remove = w.registerPostAccumulateGradHook((leaf) => seen.push(`w ${leaf.grad!.item()}`));
    const loss = () => hidden.mul(v).add(v);
    loss().backward(undefined, { retainGraph: true });
    expect(seen).toEqual(["v 11", "hidden", "w 15"]);
    remove();
    loss().backward();
    expect(seen.slice(3)).toEqual(["v 22", "hidden"]);
    expect(w.grad!.item()).toBe(30);
  });

  it("is for leaves, and not called by autograd.grad", () => {
    const x = wanting([2]);
    x.registerPostAccumulateGradHook(() => expect.unreachable());
    autograd.grad([x.mul(3)], [x]);
    expect(() => x.mul(2).registerPostAccumulateGradHook(() => {})).toThrow("non-leaf");
    expect(() => tensor([1]).registerPostAccumulateGradHook(() => {})).toThrow("doesn't require gradient");
  });
});
