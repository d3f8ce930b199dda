import { BOTH, golden, live, NEW, OLD, READ, type Row, rows, test } from "./row.ts";

const semantics = (title: string) => test("nn/norm-semantics", title);
const errors = (title: string) => test("nn/norm-errors", title);
const twice = test(
  "nn/norm-double-backward",
  "every layer's gradients can be differentiated, in training and in evaluation",
);

/** Instance norm and the lazy layers. */
export const INSTANCE_NORMS: readonly Row[] = [
  ...rows(
    "nn.InstanceNorm1d, 2d, 3d",
    [
      "input",
      "[N, C, …]: outputs by the images' own statistics",
      "bit",
      BOTH,
      [
        golden("InstanceNorm2d(6) {'affine': True, 'trackRunningStats': True} on [4, 6, 15, 11]"),
        live("InstanceNorm1d"),
        live("InstanceNorm2d"),
        live("InstanceNorm3d"),
      ],
    ],
    [
      "input",
      "unbatched [C, …]",
      "bit",
      OLD,
      [golden("InstanceNorm2d(3) {'affine': True} on [3, 2, 5]"), live("InstanceNorm2d")],
    ],
    [
      "affine, track_running_stats",
      "every combination, training and evaluation",
      "close",
      BOTH,
      [golden("InstanceNorm3d(2) {'affine': False, 'trackRunningStats': True}"), live("InstanceNorm3d")],
    ],
    [
      "running statistics",
      "averages over the images; nothing is counted",
      "close",
      OLD,
      [
        semantics("instance norm takes the average over the images, and counts nothing"),
        test("nn/norm-regressions", "instance norm averages the statistics of one channel over several images"),
        live("InstanceNorm1d"),
      ],
      "bits are not matched: PyTorch sums the images in an order that depends on how many there are and on the processor; for five images of eight channels 1.13.1 gives other bits with ATEN_CPU_CAPABILITY avx2 than with avx512",
    ],
    [
      "momentum = null",
      "1.13.1 fails: momentum must be float, not NoneType",
      "differs",
      OLD,
      [test("nn/norm-regressions", "instance norm takes momentum null for 0")],
      "2.x takes null for 0, and so do we",
    ],
    [
      "input",
      "no images, tracked: PyTorch's running statistics become NaN",
      "differs",
      OLD,
      [semantics("%s of an empty input of shape %j")],
      "the average of nothing says nothing: the statistics stay",
    ],
    [
      "input",
      "one position",
      "same",
      OLD,
      [test("nn/norm-errors", "one value a channel has no variance"), live("InstanceNorm1d")],
    ],
    [
      "input",
      "another number of channels with affine: 2.x's sentence",
      "same",
      READ,
      [errors("expected input's size at dim=1 to match num_features (3), but got: 5.")],
    ],
    [
      "input",
      "another number of channels without affine is normalized",
      "same",
      OLD,
      [errors("does not matter where nothing is kept a channel")],
    ],
    [
      "eps, dtype",
      "1e-3; float64",
      "close",
      BOTH,
      [
        golden("'eps': 0.001} on [2, 5, 4, 4]"),
        golden("InstanceNorm2d(2) {'affine': True, 'dtype': 'float64'}"),
        live("InstanceNorm2d"),
      ],
    ],
    [
      "dtype",
      "float16 and bfloat16 with float32 parameters",
      "close",
      NEW,
      [
        golden("InstanceNorm2d(4, affine=True, trackRunningStats=True) on contiguous float16", "layouts"),
        live("InstanceNorm2d"),
      ],
    ],
    [
      "layout",
      "channels-last, 3-D too, is computed in place and kept (PyTorch's result is contiguous)",
      "close",
      BOTH,
      [
        golden("InstanceNorm2d(6, affine=True, trackRunningStats=True) on channelsLast", "layouts"),
        golden("InstanceNorm3d(6) on channelsLast3d", "layouts"),
        test("nn/norm-layouts", "%s computes in place of the layout: no copy of input, output or upstream gradient"),
        live("InstanceNorm2d"),
        live("InstanceNorm3d"),
      ],
    ],
    ["backward", "twice", "close", BOTH, [twice, live("InstanceNorm2d")]],
    [
      "repr",
      "PyTorch's text",
      "same",
      OLD,
      [golden("new nn.InstanceNorm2d(3, { affine: true, trackRunningStats: true })", "print")],
    ],
    [
      "state dict",
      "statistics stored before 0.4 are refused with PyTorch's advice",
      "same",
      OLD,
      [test("nn/state-dict", "instance norm once stored statistics that it did not track")],
    ],
  ),
  ...rows(
    "nn.LazyBatchNorm1d – 3d, LazyInstanceNorm1d – 3d",
    [
      "forward",
      "the first input gives the channels; the class changes",
      "same",
      BOTH,
      [
        test("nn/norm-lazy", "a lazy layer becomes an ordinary one with the input's channels"),
        live("LazyBatchNorm2d"),
        live("LazyInstanceNorm2d"),
      ],
    ],
    [
      "affine, track_running_stats",
      "true unless told otherwise, for instance norm too",
      "same",
      BOTH,
      [
        test("nn/norm-lazy", "without options all of them learn and track, instance norm too"),
        live("LazyInstanceNorm1d"),
      ],
    ],
    [
      "load_state_dict",
      "gives the shapes; the class changes at the first forward pass",
      "same",
      OLD,
      [
        test("nn/norm-lazy", "a loaded state gives the shapes; the class changes with the first input"),
        live("LazyBatchNorm1d"),
      ],
    ],
    [
      "shape",
      "PyTorch's sentence until then",
      "same",
      OLD,
      [test("nn/norm-lazy", "everything that needs a shape is refused, with advice")],
    ],
    [
      "input",
      "unbatched instance norm: PyTorch takes dimension 1 for the channels",
      "differs",
      OLD,
      [test("nn/norm-lazy", "an instance norm without a batch dimension takes the channels from the first one")],
      "in [C, …] that is a position, and the layer fails or learns nonsense; we take dimension 0",
    ],
  ),
];
