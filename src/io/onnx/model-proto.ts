import { heap } from "../../kernels/heap.ts";
import { ITEM_BYTES } from "../../tensor/dtype.ts";
import { packed, type Tensor } from "../../tensor/tensor.ts";
import { OnnxError } from "../../util/errors.ts";
import { VERSION } from "../../util/version.ts";
import type { Plan } from "./assemble.ts";
import { bytesOf, type Graph } from "./graph.ts";
import { ELEMENT_TYPES, irVersionOf, type ModelProto, type TensorProto, type ValueInfoProto } from "./proto.ts";
import type { Info, Trace } from "./trace.ts";

/** Protobuf's limit of a message, less room for the graph. */
const MOST_BYTES = 2 ** 31 - 2 ** 22;

/** @throws OnnxError where a file could not hold so many bytes of weights */
export function checkSize(bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  throw new OnnxError(
    `the model's weights take ${(bytes / 2 ** 30).toFixed(1)} GiB: an ONNX file holds less than 2`,
    "export it in parts, or in a smaller dtype",
  );
}

/** Bytes of all these tensors. */
export function sizeOf(tensors: Iterable<Tensor>): number {
  let bytes = 0;
  for (const { dtype, shape } of tensors) bytes += bytesOf(dtype, shape);
  return bytes;
}

function infoProto(name: string, { shape, dtype }: Info, again: Info, batches: Plan["batches"]): ValueInfoProto {
  const dim = shape.map((size, d) => {
    const other = again.shape[d];
    if (size === other) return { dimValue: size };
    return { dimParam: size === batches?.[0] && other === batches[1] ? "batch" : `${name}_dim_${d}` };
  });
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[dtype], shape: { dim } } } };
}

/** The elements where they lie in the heap: to be written before anything else is computed. */
function stateProto(name: string, value: Tensor): TensorProto {
  const { shape, dtype, pointer, numel } = packed(value);
  const rawData = heap.u8.subarray(pointer, pointer + numel * ITEM_BYTES[dtype]);
  return { name, dims: shape, dataType: ELEMENT_TYPES[dtype], rawData };
}

/** The whole file as a message. */
export function modelProto(
  graph: Graph,
  state: ReadonlyMap<string, Tensor>,
  [trace, again]: readonly [Trace, Trace],
  plan: Plan,
  { name, about }: { name: string; about: string },
): ModelProto {
  const { inputNames, outputNames, opset, batches } = plan;
  const kept = [...state].filter(([key]) => graph.state.has(key));
  checkSize(graph.bytes + sizeOf(kept.map(([, value]) => value)));
  // Packed first: a copy may make the heap grow, and views of it then see nothing.
  const dense = kept.map(([key, value]): [string, Tensor] => [key, packed(value)]);
  return {
    irVersion: irVersionOf(opset),
    opsetImport: [{ domain: "", version: opset }],
    producerName: "evenkeel",
    producerVersion: VERSION,
    docString: about,
    graph: {
      name,
      node: graph.nodes,
      initializer: [...dense.map(([key, value]) => stateProto(key, value)), ...graph.constants.values()],
      input: trace.inputs.map((info, i) => infoProto(inputNames[i], info, again.inputs[i], batches)),
      output: trace.outputs.map((info, i) => infoProto(outputNames[i], info, again.outputs[i], batches)),
    },
  };
}
