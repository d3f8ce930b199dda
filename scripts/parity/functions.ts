import { BOTH, golden, live, NEW, OLD, READ, type Row, rows, test } from "./row.ts";

const errors = (title: string) => test("nn/norm-errors", title);

/** The functions, and what other libraries add to PyTorch's layers. */
export const FUNCTIONS: readonly Row[] = [
  ...rows(
    "F.batch_norm",
    [
      "training",
      "true: the batch's statistics, running ones are updated in place; false: the running ones",
      "bit",
      OLD,
      [live("batch_norm"), test("nn/norm-semantics", "derivatives by gradcheck, twice")],
    ],
    ["weight, bias", "each alone, both, none", "bit", OLD, [live("batch_norm")]],
    [
      "running_mean, running_var",
      "wrong sizes: PyTorch's sentence",
      "same",
      OLD,
      [
        errors("running_mean should contain 3 elements not 4"),
        errors("running_var should contain 3 elements not 4"),
        errors("weight should contain 3 elements not 2"),
        live("batch_norm"),
      ],
    ],
    [
      "running_mean",
      "absent in evaluation: PyTorch's sentence",
      "same",
      OLD,
      [test("nn/norm-semantics", "one of them removed is an error in evaluation, both are the batch's own")],
    ],
    [
      "input",
      "one dimension: 1.13.1 reads beyond the shape",
      "differs",
      OLD,
      [errors("functions")],
      "an error of the rank, as the modules give",
    ],
    ["input", "no channels", "same", OLD, [test("nn/norm-regressions", "no channels at all")]],
  ),
  ...rows(
    "F.instance_norm",
    [
      "use_input_stats",
      "true: every image's own; false: the running ones",
      "close",
      OLD,
      [live("instance_norm"), test("nn/norm-semantics", "derivatives by gradcheck, twice")],
    ],
    ["running_mean", "wrong sizes, counted once an image as PyTorch does", "same", OLD, [live("instance_norm")]],
  ),
  ...rows(
    "F.group_norm",
    ["num_groups", "any divisor", "close", OLD, [live("group_norm")]],
    [
      "weight, bias",
      "wrong sizes: PyTorch's sentences",
      "same",
      OLD,
      [
        errors(
          "Expected bias to be a vector of size equal to the number of channels in input, but got bias of shape [3] and input of shape [2, 4, 3]",
        ),
        live("group_norm"),
      ],
    ],
    [
      "bias without weight",
      "1.13.1's backward fails: tensor does not have a device",
      "differs",
      OLD,
      [test("nn/norm-regressions", "group norm with a bias alone has gradients")],
      "ours gives the gradients",
    ],
  ),
  ...rows(
    "F.layer_norm",
    ["normalized_shape", "one to three dimensions", "close", OLD, [live("layer_norm")]],
    [
      "weight, bias",
      "each alone; wrong shapes: PyTorch's sentence",
      "close",
      OLD,
      [
        errors(
          "Expected weight to be of same shape as normalized_shape, but got weight of shape [3] and normalized_shape = [4]",
        ),
        live("layer_norm"),
      ],
    ],
  ),
  ...rows(
    "F.rms_norm",
    [
      "normalized_shape, weight, eps",
      "as the module",
      "close",
      NEW,
      [golden("RMSNorm([5]) on [2, 3, 5]", "norm_more"), live("rms_norm")],
    ],
    ["input", "does not end in normalized_shape", "same", READ, [live("rms_norm")]],
  ),
  ...rows("F.local_response_norm", [
    "size, alpha, beta, k",
    "as the module",
    "close",
    BOTH,
    [golden("LocalResponseNorm(2)", "norm_more"), live("local_response_norm")],
  ]),
  ...rows(
    "F.normalize",
    [
      "p",
      "½, 1, 2, 3, ∞",
      "close",
      BOTH,
      [golden("normalize() {'p': inf}", "norm_more"), golden("normalize() {'p': 0.5}", "norm_more"), live("normalize")],
    ],
    [
      "dim, eps",
      "any dimension, several at once; a least length",
      "close",
      BOTH,
      [golden("normalize() {'dim': (1, 2), 'eps': 3.0}", "norm_more"), live("normalize")],
    ],
    [
      "input",
      "zeros: the gradient is flat there",
      "same",
      OLD,
      [test("nn/norm-regressions", "the gradient of a p-norm is 0 at 0"), live("normalize")],
    ],
    ["backward", "twice", "close", NEW, [test("nn/norm-double-backward", "F.normalize")]],
  ),
  ...rows("fuse_conv_bn_eval, fuse_linear_bn_eval", [
    "",
    "a convolution or linear layer that has taken in its batch norm; dtype and requires_grad stay; PyTorch's sentences",
    "close",
    READ,
    [test("tools/fuse", "dtype, requiresGrad and PyTorch's sentences")],
  ]),
  ...rows("swa_utils.update_bn", [
    "",
    "running statistics of a whole data set; `recalibrate` weights them by batch size too",
    "close",
    OLD,
    [test("tools/recalibrate", "the two differ where batches do")],
  ]),
  ...rows(
    "beside PyTorch",
    [
      "BatchNormAct2d",
      "norm, residual and activation in one, as the three layers give",
      "same",
      "timm's formula",
      [test("nn/norm-extras", "BatchNormAct2d is batch norm, sum and activation in one")],
    ],
    [
      "FrozenBatchNorm2d",
      "torchvision's numbers",
      "close",
      "torchvision's formula",
      [test("nn/norm-extras", "gives torchvision's numbers for its formula")],
    ],
    [
      "masks",
      "padding does not pollute the statistics",
      "same",
      "PyTorch on the valid positions",
      [
        test("nn/norm-extras", "padding does not pollute moments and running statistics; it is normalized by them"),
        test("nn/norm-extras", "what stands in the padding does not matter to the rest, nor to its gradients"),
      ],
    ],
    [
      "withoutStatisticsUpdate",
      "a second forward pass counts and moves nothing",
      "same",
      "no counterpart",
      [test("nn/norm-extras", "a second forward pass counts and moves nothing, and gives the same output")],
    ],
    [
      "forwardMany",
      "micro-batches share their statistics: accumulation equals the large batch",
      "close",
      "PyTorch on the large batch",
      [
        test(
          "nn/norm-many",
          "outputs, losses, gradients, running statistics and weights over three steps of unequal micro-batches",
        ),
      ],
    ],
  ),
];
