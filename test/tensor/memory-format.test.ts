import { describe, expect, test } from "vitest";
import { arange, F, type MemoryFormat, nn, randn, type Tensor, where, zeros } from "../../src/index.ts";
import { suggestedFormat } from "../../src/tensor/memory-format.ts";
import type { Shape } from "../../src/tensor/shape.ts";

const last = (x: Tensor) => x.contiguous({ memoryFormat: "channelsLast" });
const suggests = (x: Tensor) => suggestedFormat(x.shape, x.strides);

/** PyTorch's answers: strides of zeros(shape), of .contiguous(channels_last) and of .to(channels_last); whether the first and second are contiguous in channels_last. */
const SHAPES: [Shape, Shape, Shape, Shape, boolean, boolean][] = [
  [[2, 3, 4, 5], [60, 20, 5, 1], [60, 1, 15, 3], [60, 1, 15, 3], false, false],
  [[2, 1, 4, 5], [20, 20, 5, 1], [20, 20, 5, 1], [20, 1, 5, 1], true, true],
  [[1, 3, 4, 5], [60, 20, 5, 1], [60, 1, 15, 3], [60, 1, 15, 3], false, false],
  [[2, 3, 1, 1], [3, 1, 1, 1], [3, 1, 1, 1], [3, 1, 3, 3], true, true],
  [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], true, true],
  [[2, 3, 1, 5], [15, 5, 5, 1], [15, 1, 15, 3], [15, 1, 15, 3], false, false],
  [[2, 3, 4, 1], [12, 4, 1, 1], [12, 1, 3, 3], [12, 1, 3, 3], false, false],
  [[0, 3, 4, 5], [60, 20, 5, 1], [60, 1, 15, 3], [60, 1, 15, 3], false, true],
  [[2, 3, 0, 5], [15, 5, 5, 1], [0, 1, 15, 3], [0, 1, 15, 3], false, true],
];

describe("memory formats", () => {
  test.each(SHAPES)("strides of %j are PyTorch's", (shape, own, contiguous, to, before, still) => {
    const x = zeros(shape);
    expect(x.strides).toEqual(own);
    expect(x.isContiguousIn("channelsLast")).toBe(before);
    const y = last(x);
    expect(y.strides).toEqual(contiguous);
    expect(y.isContiguousIn("channelsLast")).toBe(true);
    expect(y.isContiguous).toBe(still);
    expect(x.to({ memoryFormat: "channelsLast" }).strides).toEqual(to);
  });

  test("values stay where they are, whatever their place in memory", () => {
    const x = arange(120, { dtype: "float32" }).reshape([2, 3, 4, 5]);
    expect(last(x).toArray()).toEqual(x.toArray());
    expect(last(last(x))).toHaveProperty("storage", expect.anything());
    expect(last(x).contiguous().strides).toEqual([60, 20, 5, 1]);
    expect(last(x).to("float64").strides).toEqual([60, 1, 15, 3]);
    expect(x.to("float64", { memoryFormat: "channelsLast" }).strides).toEqual([60, 1, 15, 3]);
    const y = last(x);
    expect(last(y)).toBe(y);
    expect(y.to({ memoryFormat: "channelsLast" })).toBe(y);
    expect(y.clone({ memoryFormat: "contiguous" }).strides).toEqual(x.strides);
    const deep = zeros([2, 3, 2, 4, 5]).contiguous({ memoryFormat: "channelsLast3d" });
    expect(deep.strides).toEqual([120, 1, 60, 15, 3]);
    expect(suggests(deep)).toBe("channelsLast3d");
  });

  test("a format of another rank is refused with PyTorch's sentence", () => {
    const attempts: [Shape, MemoryFormat, string][] = [
      [[3], "channelsLast", "required rank 4 tensor to use channels_last format"],
      [[3, 3, 3, 3, 3], "channelsLast", "required rank 4 tensor to use channels_last format"],
      [[3, 3, 3, 3], "channelsLast3d", "required rank 5 tensor to use channels_last_3d format"],
    ];
    for (const [shape, memoryFormat, sentence] of attempts) {
      expect(() => zeros(shape).contiguous({ memoryFormat })).toThrow(sentence);
      expect(() => zeros(shape).to({ memoryFormat })).toThrow(sentence);
      expect(zeros(shape).isContiguousIn(memoryFormat)).toBe(false);
    }
    expect(() => zeros([1, 2, 3, 4]).contiguous({ memoryFormat: "nhwc" as MemoryFormat })).toThrow(
      /unknown memory format/,
    );
  });

  test("strides of views speak for a format too, and contiguous wins where they are ambiguous", () => {
    const x = last(zeros([2, 6, 4, 5]));
    expect(suggests(x)).toBe("channelsLast");
    expect(suggests(x.narrow(1, 0, 4))).toBe("channelsLast");
    expect(suggests(zeros([2, 6, 4, 5]))).toBe("contiguous");
    expect(suggests(zeros([2, 6, 1, 1]))).toBe("contiguous");
    expect(suggests(zeros([2, 1, 4, 5]))).toBe("contiguous");
    expect(suggests(zeros([2, 1, 4, 5]).expand([2, 3, 4, 5]))).toBe("contiguous");
    expect(suggests(zeros([2, 3]))).toBe("contiguous");
  });
});

describe("elementwise results lie as PyTorch's", () => {
  const x = last(randn([2, 3, 4, 5])).keep();
  const c = randn([2, 3, 4, 5]).keep();
  const LAST = [60, 1, 15, 3];
  const FIRST = [60, 20, 5, 1];
  const results: [string, () => Tensor, number[]][] = [
    ["relu", () => x.relu(), LAST],
    ["exp", () => x.exp(), LAST],
    ["gelu", () => x.gelu(), LAST],
    ["x + x", () => x.add(x), LAST],
    ["x + contiguous", () => x.add(c), LAST],
    ["contiguous + x", () => c.add(x), FIRST],
    ["x · per channel", () => x.mul(randn([3, 1, 1])), LAST],
    ["per channel · x", () => randn([1, 3, 1, 1]).mul(x), LAST],
    ["x · 2", () => x.mul(2), LAST],
    ["x > 0", () => x.gt(0), LAST],
    ["where(x > 0, x, contiguous)", () => where(x.gt(0), x, c), LAST],
    ["where(contiguous > 0, x, x)", () => where(c.gt(0), x, x), FIRST],
    ["dropout", () => F.dropout(x, { p: 0.5 }), LAST],
    ["double", () => x.double(), LAST],
    ["permuted exp", () => x.permute([3, 1, 0, 2]).exp(), [3, 1, 60, 15]],
    ["permuted sum", () => x.permute([3, 1, 0, 2]).add(c.permute([3, 1, 0, 2])), [3, 1, 60, 15]],
    ["clone", () => x.clone(), LAST],
    ["slice", () => x.narrow(1, 0, 2).exp(), [40, 1, 10, 2]],
    ["clamp", () => x.clamp({ min: 0, max: 1 }), LAST],
    ["square", () => x.pow(2), LAST],
    ["expanded", () => randn([3, 1]).expand([3, 4]).exp(), [4, 1]],
    ["transposed", () => randn([3, 4]).t().exp(), [1, 4]],
    ["row + x", () => randn([5]).add(x), LAST],
    ["dropout2d", () => F.dropout2d(x, { p: 0.5 }), LAST],
  ];

  test.each(results)("%s", (_, run, strides) => {
    expect(run().strides).toEqual(strides);
  });

  test("and have the values of contiguous ones", () => {
    const y = x.contiguous();
    const channel = randn([3, 1, 1]);
    for (const [found, expected] of [
      [x.sigmoid(), y.sigmoid()],
      [x.add(c), y.add(c)],
      [c.sub(x), c.sub(y)],
      [x.mul(channel), y.mul(channel)],
      [x.gt(c), y.gt(c)],
      [where(x.gt(0), c, x), where(y.gt(0), c, y)],
      [x.narrow(1, 1, 2).tanh(), y.narrow(1, 1, 2).tanh()],
      [x.flip([1]).exp(), y.flip([1]).exp()],
    ]) {
      expect(found.toArray()).toEqual(expected.toArray());
    }
  });

  test("convolutions and poolings keep the format; the gradient of a leaf lies as the leaf", () => {
    const layers = [
      new nn.Conv2d(3, 4, 3),
      new nn.MaxPool2d(2),
      new nn.AvgPool2d(2),
      new nn.AdaptiveAvgPool2d(2),
      new nn.AdaptiveMaxPool2d(2),
      new nn.GELU(),
      new nn.ReLU(),
      new nn.Sigmoid(),
    ];
    for (const layer of layers) {
      const a = x.detach().clone().requiresGrad_();
      const b = x.detach().contiguous().requiresGrad_();
      const [y, z] = [layer.forward(a), layer.forward(b)];
      expect(suggests(y), layer.className).toBe("channelsLast");
      expect(suggests(z), layer.className).toBe("contiguous");
      expect(y.toArray()).toEqual(z.toArray());
      const g = randn(y.shape);
      y.backward(g);
      z.backward(g);
      expect(a.grad?.strides, layer.className).toEqual(LAST);
      expect(b.grad?.strides, layer.className).toEqual(FIRST);
      expect(a.grad?.toArray()).toEqual(b.grad?.toArray());
    }
  });

  test("gradients of several uses add up, whatever their layouts", () => {
    const a = x.detach().clone().requiresGrad_();
    const y = a
      .mul(2)
      .add(a.contiguous().mul(3))
      .add(a.permute([0, 2, 3, 1]).mul(4).permute([0, 3, 1, 2]));
    const g = randn(y.shape);
    y.backward(g);
    expect(a.grad?.strides).toEqual(LAST);
    const expected = g.mul(2).add(g.mul(3)).add(g.mul(4));
    expect(a.grad?.sub(expected).abs().max().item()).toBeLessThan(1e-5);
    a.mul(1).backward(g);
    expect(a.grad?.sub(expected).sub(g).abs().max().item()).toBeLessThan(1e-5);
  });
});
