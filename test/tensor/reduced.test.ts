import { describe, expect, test } from "vitest";
import {
  add,
  arange,
  cat,
  DTypeError,
  empty,
  full,
  getDefaultDtype,
  indexSelect,
  mean,
  ones,
  rand,
  stack,
  sum,
  type Tensor,
  tensor,
  where,
  zeros,
} from "../../src/index.ts";
import { promoteTypes } from "../../src/tensor/dtype.ts";

const DTYPES = ["float16", "bfloat16"] as const;

describe("float16 and bfloat16", () => {
  test.each(DTYPES)("%s is made, read and printed as PyTorch does", (dtype) => {
    const x = tensor(
      [
        [1.5, -2],
        [3.25, 0],
      ],
      { dtype },
    );
    expect(x.dtype).toBe(dtype);
    expect(x.nbytes).toBe(8);
    expect(x.toArray()).toEqual([
      [1.5, -2],
      [3.25, 0],
    ]);
    expect(String(x)).toBe(`tensor([[ 1.5000, -2.0000],\n        [ 3.2500,  0.0000]], dtype=torch.${dtype})`);
    expect(x.toTypedArray()).toEqual(new Float32Array([1.5, -2, 3.25, 0]));
    expect(zeros([2], { dtype }).toArray()).toEqual([0, 0]);
    expect(ones([2], { dtype }).toArray()).toEqual([1, 1]);
    expect(full([2], 1e39, { dtype }).toArray()).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(empty([3], { dtype }).fill_(2.5).toArray()).toEqual([2.5, 2.5, 2.5]);
    expect(full([], 0.1, { dtype }).item()).toBe(dtype === "float16" ? 0.0999755859375 : 0.10009765625);
    expect(x.select(0, 1).toArray()).toEqual([3.25, 0]);
    expect(String(tensor([], { dtype }))).toBe(`tensor([], dtype=torch.${dtype})`);
  });

  test("PyTorch's texts", () => {
    const texts: [Tensor, string][] = [
      [tensor([1e-5, 1, 1e4]).half(), "tensor([1.0014e-05, 1.0000e+00, 1.0000e+04], dtype=torch.float16)"],
      [tensor([1, 2]).bfloat16(), "tensor([1., 2.], dtype=torch.bfloat16)"],
      [tensor(3.14159).bfloat16(), "tensor(3.1406, dtype=torch.bfloat16)"],
      [
        tensor([0.1, Number.NaN, Number.POSITIVE_INFINITY]).half().requiresGrad_(),
        "tensor([0.1000,    nan,    inf], dtype=torch.float16, requires_grad=True)",
      ],
      [tensor([1e38, 1]).bfloat16(), "tensor([9.9692e+37, 1.0000e+00], dtype=torch.bfloat16)"],
      [tensor([6e-8]).half(), "tensor([5.9605e-08], dtype=torch.float16)"],
    ];
    for (const [x, text] of texts) expect(String(x)).toBe(text);
  });

  test("conversions to and from every dtype go by way of float32", () => {
    expect(tensor([2049, 2051], { dtype: "int64" }).half().toArray()).toEqual([2048, 2052]);
    expect(tensor([1.7, -1.7]).half().int().toArray()).toEqual([1, -1]);
    expect(tensor([0, 1e-7]).half().bool().toArray()).toEqual([false, true]);
    // float64 → float32 rounds to the tie, which then goes to the even neighbour
    expect(
      tensor([1 + 2 ** -10 + 2 ** -11 + 2 ** -40], { dtype: "float64" })
        .half()
        .item(),
    ).toBe(1 + 2 ** -9);
    expect(tensor([300, 0.5]).half().bfloat16().double().toArray()).toEqual([300, 0.5]);
    expect(tensor([true, false]).bfloat16().toArray()).toEqual([1, 0]);
    const x = tensor([1]).half();
    expect(x.half()).toBe(x);
  });

  test("bits in, bits out", () => {
    const bits = new Uint16Array([0x3c00, 0xc000, 0x7bff, 0x0001]);
    const x = tensor(bits, { dtype: "float16", shape: [2, 2] });
    expect(x.toArray()).toEqual([
      [1, -2],
      [65504, 2 ** -24],
    ]);
    expect(x.toBits()).toEqual(bits);
    expect(x.t().toBits()).toEqual(new Uint16Array([0x3c00, 0x7bff, 0xc000, 0x0001]));
    expect(tensor(new Uint16Array([0x3f80]), { dtype: "bfloat16" }).item()).toBe(1);
    expect(tensor(new Float32Array([1.5]), { dtype: "float16" }).toBits()).toEqual(new Uint16Array([0x3e00]));
    expect(() => tensor(bits)).toThrow(/say which/);
    expect(() => tensor(bits, { dtype: "float32" })).toThrow(/say which/);
    expect(() => tensor([1]).toBits()).toThrow(DTypeError);
  });

  test("dtypes are promoted as PyTorch's", () => {
    for (const dtype of DTYPES) {
      for (const integer of ["bool", "uint8", "int32", "int64"] as const)
        expect(promoteTypes(dtype, integer)).toBe(dtype);
      expect(promoteTypes("float32", dtype)).toBe("float32");
      expect(promoteTypes(dtype, "float64")).toBe("float64");
      expect(promoteTypes(dtype, dtype)).toBe(dtype);
    }
    expect(promoteTypes("float16", "bfloat16")).toBe("float32");
    expect(cat([tensor([1]).half(), tensor([2]).bfloat16()]).dtype).toBe("float32");
    // what is computed in a wider dtype is computed
    expect(add(tensor([1]), tensor([2]).half()).toArray()).toEqual([3]);
    expect(getDefaultDtype()).toBe("float32");
  });

  test.each(DTYPES)("%s views, copies and joins", (dtype) => {
    const x = arange(24, { dtype: "float32" }).reshape([2, 3, 4]).to(dtype);
    expect(x.transpose(0, 2).contiguous().toArray()).toEqual(arange(24).reshape([2, 3, 4]).transpose(0, 2).toArray());
    expect(x.permute([2, 0, 1]).clone().strides).toEqual([1, 12, 4]);
    expect(x.narrow(2, 1, 2).float().toArray()).toEqual(x.float().narrow(2, 1, 2).toArray());
    expect(cat([x, x], 1).shape).toEqual([2, 6, 4]);
    expect(cat([x, x], 1).dtype).toBe(dtype);
    expect(stack([x, x]).select(0, 1).toArray()).toEqual(x.toArray());
    expect(x.expand([2, 2, 3, 4]).reshape([-1]).toArray().slice(24)).toEqual(x.reshape([-1]).toArray());
    expect(
      zeros([3], { dtype })
        .copy_(tensor([1, 2, 3]))
        .toArray(),
    ).toEqual([1, 2, 3]);
    const image = x.reshape([1, 2, 3, 4]).contiguous({ memoryFormat: "channelsLast" });
    expect(image.strides).toEqual([24, 1, 8, 2]);
    expect(image.float().strides).toEqual([24, 1, 8, 2]);
    expect(image.toArray()).toEqual(x.reshape([1, 2, 3, 4]).toArray());
  });

  test.each(DTYPES)("gradients pass through %s, in its precision", (dtype) => {
    const x = tensor([1.001, 2.002]).requiresGrad_();
    const half = x.to(dtype);
    half
      .float()
      .mul(tensor([0.1, 3]))
      .sum()
      .backward();
    expect(x.grad?.toArray()).toEqual(tensor([0.1, 3]).to(dtype).toArray());
    const leaf = tensor([1, 2], { dtype, requiresGrad: true });
    const uses = () => leaf.float().mul(2).sum().add(leaf.float().mul(0.5).sum());
    uses().backward();
    expect(leaf.grad?.dtype).toBe(dtype);
    expect(leaf.grad?.toArray()).toEqual([2.5, 2.5]);
    uses().backward();
    expect(leaf.grad?.toArray()).toEqual([5, 5]);
    leaf.narrow(0, 1, 1).float().sum().backward();
    expect(leaf.grad?.toArray()).toEqual([5, 6]);
  });

  test.each(DTYPES)("what does not compute in %s says so", (dtype) => {
    const x = ones([2, 2], { dtype });
    const flags = ones([2, 2], { dtype: "bool" });
    for (const attempt of [
      () => x.add(1),
      () => x.add(x),
      () => x.add_(1),
      () => x.div(2),
      () => x.gt(0),
      () => x.relu(),
      () => x.exp(),
      () => x.floor(),
      () => sum(x),
      () => mean(x),
      () => x.max(),
      () => x.argmax(),
      () => x.matmul(x),
      () => x.softmax(0),
      () => x.pow(2),
      () => x.clamp_({ min: 0 }),
      () => x.flip([0]),
      () => x.bernoulli_(),
      () => x.var(),
      () => x.norm(),
      () => x.isfinite(),
      () => where(flags, x, x),
      () => x.maskedFill(flags, 0),
      () => indexSelect(x, 0, tensor([0], { dtype: "int64" })),
      () => rand([2], { dtype }),
      () => arange(3, { dtype }),
    ]) {
      expect(attempt, String(attempt)).toThrow(DTypeError);
    }
    expect(() => x.add(1)).toThrow(/convert it with .float\(\)/);
  });
});
