import { BOTH, golden, live, NEW, OLD, READ, type Row, rows, test } from "./row.ts";

const semantics = (title: string) => test("nn/norm-semantics", title);
const errors = (title: string) => test("nn/norm-errors", title);
const twice = test(
  "nn/norm-double-backward",
  "every layer's gradients can be differentiated, in training and in evaluation",
);

/** Group, layer, RMS and local response norm. */
export const ROW_NORMS: readonly Row[] = [
  ...rows(
    "nn.GroupNorm",
    [
      "num_groups",
      "from 1 to C, ranks 2 to 5",
      "close",
      BOTH,
      [golden("GroupNorm(5, 10) on [2, 10, 17]"), golden("GroupNorm(2, 4) on [2, 4, 2, 2, 3]"), live("GroupNorm")],
    ],
    [
      "eps, affine, dtype",
      "1e-2; false; float64",
      "close",
      BOTH,
      [
        golden("GroupNorm(3, 6) {'eps': 0.01}"),
        golden("GroupNorm(3, 6) {'affine': False}"),
        golden("GroupNorm(2, 6) {'dtype': 'float64'}"),
        live("GroupNorm"),
      ],
    ],
    ["bias = false", "a weight without a bias", "close", NEW, [golden("GroupNorm(3, 6) {'bias': False}", "norm_more")]],
    [
      "num_groups",
      "no divisor of the channels: PyTorch's sentence",
      "same",
      OLD,
      [errors("num_channels must be divisible by num_groups"), live("GroupNorm")],
      "2.13 puts the numbers into the sentence, we behind it",
    ],
    [
      "input",
      "one value a group",
      "same",
      OLD,
      [test("nn/norm-errors", "one value a channel has no variance"), live("GroupNorm")],
    ],
    [
      "input",
      "fewer than two dimensions: 2.x's sentence",
      "same",
      READ,
      [errors("functions")],
      "1.13.1: Dimension out of range",
    ],
    [
      "dtype",
      "float16 and bfloat16 with float32 parameters",
      "close",
      NEW,
      [
        golden("GroupNorm(3, 6) on contiguous float16", "layouts"),
        golden("GroupNorm(3, 6, dtype=bfloat16)", "layouts"),
      ],
    ],
    [
      "layout",
      "channels-last is computed in place and kept",
      "close",
      BOTH,
      [
        golden("GroupNorm(3, 6) on channelsLast float32", "layouts"),
        test("nn/norm-layouts", "%s computes in place of the layout: no copy of input, output or upstream gradient"),
        live("GroupNorm"),
      ],
    ],
    ["backward", "twice", "close", BOTH, [twice, semantics("derivatives by gradcheck, twice"), live("GroupNorm")]],
    ["repr", "PyTorch's text", "same", OLD, [golden("new nn.GroupNorm(2, 6, { eps: 1e-6, affine: false })", "print")]],
  ),
  ...rows(
    "nn.LayerNorm",
    [
      "normalized_shape",
      "the last one, two or three dimensions, lengths around the SIMD width",
      "close",
      BOTH,
      [golden("LayerNorm([33]) on [2, 33]"), golden("LayerNorm([3, 2, 3]) on [2, 3, 2, 3]"), live("LayerNorm")],
    ],
    [
      "elementwise_affine, eps, dtype",
      "false; 1e-2; float64",
      "close",
      BOTH,
      [
        golden("LayerNorm([6]) {'elementwiseAffine': False}"),
        golden("LayerNorm([6]) {'eps': 0.01}"),
        golden("LayerNorm([2, 5]) {'dtype': 'float64'}"),
        live("LayerNorm"),
      ],
    ],
    [
      "bias = false",
      "a weight without a bias",
      "same",
      READ,
      [test("nn/norm-extras", "bias false: no shift, neither in the state dict nor among the parameters")],
    ],
    [
      "input",
      "does not end in normalized_shape: PyTorch's sentence",
      "same",
      OLD,
      [
        errors("Given normalized_shape=[5], expected input with shape [*, 5], but got input of size[2, 4]"),
        live("LayerNorm"),
      ],
    ],
    [
      "dtype",
      "float16 and bfloat16 with float32 parameters",
      "close",
      NEW,
      [golden("LayerNorm([9]) on contiguous bfloat16", "layouts")],
    ],
    ["backward", "twice", "close", BOTH, [twice, semantics("derivatives by gradcheck, twice"), live("LayerNorm")]],
    [
      "repr",
      "PyTorch's text",
      "same",
      OLD,
      [golden("new nn.LayerNorm([3, 10], { eps: 1e-6, elementwiseAffine: false })", "print")],
    ],
  ),
  ...rows(
    "nn.RMSNorm",
    [
      "normalized_shape",
      "the last dimensions",
      "close",
      NEW,
      [golden("RMSNorm([3, 2, 3])", "norm_more"), live("RMSNorm")],
    ],
    [
      "eps = null",
      "the machine epsilon of the dtype",
      "close",
      NEW,
      [
        golden("RMSNorm([2, 5]) {'dtype': 'float64'}", "norm_more"),
        test("nn/norm-more", "eps null is the machine epsilon of the dtype"),
        live("RMSNorm"),
      ],
    ],
    [
      "elementwise_affine = false",
      "no weight",
      "close",
      NEW,
      [golden("RMSNorm([6]) {'elementwiseAffine': False}", "norm_more"), live("RMSNorm")],
    ],
    [
      "input",
      "beyond 10¹²: PyTorch's float32 gradient underflows to that of a constant factor",
      "differs",
      READ,
      [live("rms_norm")],
      "ours is the gradient of the formula, within 1e-5 of float64's; the live comparison takes the formula too",
    ],
    ["dtype", "float16 and bfloat16", "close", NEW, [golden("RMSNorm([9]) on contiguous float16", "layouts")]],
    ["backward", "twice", "close", NEW, [twice]],
  ),
  ...rows(
    "nn.LocalResponseNorm",
    [
      "size",
      "1 to more than the channels, even ones too",
      "close",
      BOTH,
      [
        golden("LocalResponseNorm(9)", "norm_more"),
        golden("LocalResponseNorm(4)", "norm_more"),
        live("LocalResponseNorm"),
      ],
    ],
    [
      "alpha, beta, k",
      "any",
      "close",
      BOTH,
      [golden("'alpha': 2.0, 'beta': 1.5, 'k': 0.1", "norm_more"), live("LocalResponseNorm")],
    ],
    ["backward", "twice", "close", NEW, [twice]],
  ),
];
