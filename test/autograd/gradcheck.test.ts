import { expect, it } from "vitest";
import { record } from "../../src/autograd/record.ts";
import { autograd, mul, noGrad, type Tensor, tensor } from "../../src/index.ts";
import { leaf } from "../ops/checking.ts";

/** x², with a gradient as given */
const squared = (gradient: (g: Tensor, x: Tensor) => Tensor) => (x: Tensor) =>
  record(
    "WrongBackward",
    noGrad(() => mul(x, x)),
    [x],
    (g) => [gradient(g, x)],
  );

it("passes what is right", () => {
  const right = squared((g, x) => mul(g, x.mul(2)));
  expect(autograd.gradcheck(right, [leaf([2, 2], 1)])).toBe(true);
  expect(autograd.gradgradcheck(right, [leaf([2, 2], 1)])).toBe(true);
});

it("names the output, the input and the element that are wrong", () => {
  const wrong = squared((g, x) =>
    mul(
      g,
      x.mul(
        tensor(
          [
            [2, 2],
            [2.1, 2],
          ],
          { dtype: "float64" },
        ),
      ),
    ),
  );
  const y = leaf([2], 2);
  expect(() => autograd.gradcheck((a, b) => [a.add(1), wrong(b)], [y, leaf([2, 2], 1)])).toThrow(
    /Jacobian mismatch for output 1 with respect to input 1: ∂ output\[1, 0\] \/ ∂ input\[1, 0\] is .* numerically but .* analytically/,
  );
});

it("finds a gradient that is missing, and one that is too much", () => {
  expect(() => autograd.gradcheck((x) => x.detach().mul(x), [leaf([2], 3)])).toThrow("Jacobian mismatch");
  expect(() => autograd.gradcheck((x) => x.mul(2).detach(), [leaf([2], 3)])).toThrow("Jacobian mismatch");
  expect(() =>
    autograd.gradcheck(
      squared((g) => mul(g, 0)),
      [leaf([2], 3)],
    ),
  ).toThrow("Jacobian mismatch");
});

it("gradgradcheck finds a first derivative without history", () => {
  const flat = squared((g, x) => mul(g, x.detach().mul(2)));
  expect(autograd.gradcheck(flat, [leaf([2], 4)])).toBe(true);
  expect(() => autograd.gradgradcheck(flat, [leaf([2], 4)])).toThrow("Jacobian mismatch");
});

it("leaves inputs and their gradients as they were", () => {
  const x = leaf([3], 5);
  const before = x.toArray();
  autograd.gradcheck((a) => a.exp(), [x]);
  expect(x.toArray()).toEqual(before);
  expect(x.grad).toBeNull();
});

it("skips integer outputs, and checks inputs", () => {
  expect(autograd.gradcheck((x) => [x.mul(2), x.argmax()], [leaf([3], 6)])).toBe(true);
  expect(() => autograd.gradcheck((x) => x, [leaf([2], 7).detach()])).toThrow(
    "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.",
  );
  expect(() => autograd.gradcheck((x) => x, [tensor([1], { requiresGrad: true })])).toThrow(
    "gradcheck needs double precision inputs",
  );
  expect(() => autograd.gradcheck((x) => x, [leaf([2, 3], 7).t()])).toThrow("contiguous leaf tensors");
});
