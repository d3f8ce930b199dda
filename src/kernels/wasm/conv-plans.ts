import type { Conv2dShape } from "../backend.ts";

/** Shapes that are remembered: the convolutions of a network with some to spare. */
const MOST_PLANS = 64;

/**
 * What `make` gives for a shape, made once: a network convolves the same few shapes at every step, and for small ones the lists of taps would take as long as the products.
 */
export function planned<Plan>(make: (shape: Conv2dShape) => Plan): (shape: Conv2dShape) => Plan {
  const made: { readonly shape: Conv2dShape; readonly plan: Plan }[] = [];
  let oldest = 0;
  return (shape) => {
    for (let i = 0; i < made.length; i++) if (sameShape(made[i].shape, shape)) return made[i].plan;
    const entry = { shape: { ...shape }, plan: make(shape) };
    if (made.length < MOST_PLANS) made.push(entry);
    else made[oldest++ % MOST_PLANS] = entry;
    return entry.plan;
  };
}

function sameShape(a: Conv2dShape, b: Conv2dShape): boolean {
  return (
    a.inHeight === b.inHeight &&
    a.inChannels === b.inChannels &&
    a.batch === b.batch &&
    a.inWidth === b.inWidth &&
    a.outChannels === b.outChannels &&
    a.outHeight === b.outHeight &&
    a.outWidth === b.outWidth &&
    a.kernelHeight === b.kernelHeight &&
    a.kernelWidth === b.kernelWidth &&
    a.strideHeight === b.strideHeight &&
    a.strideWidth === b.strideWidth &&
    a.paddingHeight === b.paddingHeight &&
    a.paddingWidth === b.paddingWidth &&
    a.dilationHeight === b.dilationHeight &&
    a.dilationWidth === b.dilationWidth &&
    a.groups === b.groups
  );
}
