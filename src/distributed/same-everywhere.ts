import { noGrad } from "../autograd/mode.ts";
import type { Module } from "../nn/module.ts";
import { copy_ } from "../ops/inplace.ts";
import { cat } from "../ops/join.ts";
import { narrow } from "../ops/slicing.ts";
import { reshape } from "../ops/views.ts";
import { tensor } from "../tensor/creation.ts";
import type { DType } from "../tensor/dtype.ts";
import { packed, type Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError } from "../util/errors.ts";
import type { Communicator } from "./communicator.ts";

/** A line for each parameter and buffer: all that has to be the same on all ranks but the values. */
function description(module: Module): string {
  const line = ([name, t]: [string, Tensor]) =>
    `${name}: ${t.dtype} [${t.shape.join(", ")}]${t.requiresGrad ? ", trained" : ""}${t.isContiguous ? "" : `, strides ${t.strides.join(", ")}`}`;
  return [...module.namedParameters(), ...module.namedBuffers()].map(line).join("\n");
}

/** @throws ArgumentError on every rank if the modules differ in more than their values */
export function checkSameModule(ranks: Communicator, module: Module): void {
  const own = new TextEncoder().encode(description(module));
  const theirs = tidy(() => {
    const length = ranks.broadcast_(tensor([own.length], { dtype: "float64" })).item();
    const text = tensor(ranks.rank === 0 ? own : new Uint8Array(length));
    return new TextDecoder().decode(ranks.broadcast_(text).toTypedArray() as Uint8Array);
  });
  const [mine, first] = [description(module).split("\n"), theirs.split("\n")];
  const at = first.findIndex((line, i) => line !== mine[i]);
  const differs = at >= 0 || mine.length > first.length;
  const anywhere = tidy(() => ranks.allReduce(tensor([differs ? 1 : 0]), { op: "max" }).item());
  if (anywhere === 0) return;
  const line = at >= 0 ? at : first.length;
  throw new ArgumentError(
    differs
      ? `the model of rank ${ranks.rank} is another than that of rank 0: here "${mine[line] ?? "nothing"}", there "${first[line] ?? "nothing"}"`
      : "another rank's model differs from that of rank 0",
    "make the same model on every rank",
  );
}

/** Gives every rank the values of rank 0, those of one dtype in one call. */
export function broadcastAll(ranks: Communicator, tensors: readonly Tensor[]): void {
  const byType = new Map<DType, Tensor[]>();
  for (const each of tensors) byType.set(each.dtype, [...(byType.get(each.dtype) ?? []), each]);
  for (const same of byType.values()) {
    noGrad(() =>
      tidy(() => {
        const all = cat(same.map((each) => reshape(packed(each.detach()), [-1])));
        ranks.broadcast_(all);
        if (ranks.rank === 0) return;
        let at = 0;
        for (const each of same) {
          copy_(each.detach(), reshape(narrow(all, 0, at, each.numel), each.shape));
          at += each.numel;
        }
      }),
    );
  }
}
