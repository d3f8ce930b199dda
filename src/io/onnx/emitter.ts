import type { DType } from "../../tensor/dtype.ts";
import type { Shape } from "../../tensor/shape.ts";
import { OnnxError } from "../../util/errors.ts";
import type { Graph } from "./graph.ts";
import type { AttributeValue } from "./proto.ts";
import { describe, type Info, type Step, type Value } from "./trace.ts";

/** Writes an operation as nodes; gives the name of its result. */
export type Translation = (emit: Emitter) => string;

/** Translations by PyTorch's names of the operations. */
export type Translations = Readonly<Record<string, Translation>>;

/** What an operation becomes nodes with. It was traced twice, with other numbers and, for a batch of any size, with another batch. */
export class Emitter {
  /** where its nodes are said to be, such as "/layer1.0/conv1" */
  readonly place: string;

  constructor(
    private readonly graph: Graph,
    readonly step: Step,
    private readonly again: Step,
    /** the name of a traced value */
    private readonly nameOf: (value: Value, again: Value) => string,
    readonly opset: number,
    /** the batch of either trace, and its name as a value; null for a fixed batch */
    private readonly batch: { sizes: readonly [number, number]; name: () => string } | null,
  ) {
    this.place = step.module ? `/${step.module}` : "";
  }

  /** The name of an input; "" where it is absent. */
  input(at: number): string {
    const [value, again] = [this.step.inputs[at], this.again.inputs[at]];
    return value && again ? this.nameOf(value, again) : "";
  }

  has(at: number): boolean {
    return this.step.inputs[at] != null;
  }

  /** Shape and dtype of an input. */
  info(at: number): Info {
    return this.step.inputs[at] as Info;
  }

  get output(): Info {
    return this.step.output;
  }

  get dtype(): DType {
    return this.step.output.dtype;
  }

  /** Something of either trace. */
  both<T>(of: (step: Step) => T): [T, T] {
    return [of(this.step), of(this.again)];
  }

  /** A setting of the operation. @throws OnnxError if it depends on the batch */
  get<T = number>(key: string): T {
    const value = this.step.attributes[key];
    if (JSON.stringify(value) !== JSON.stringify(this.again.attributes[key])) {
      throw this.refusal(`${key} depends on the batch size`, "export with { dynamicBatch: false }");
    }
    return value as T;
  }

  /** The name of a tensor among the settings; "" where it is absent. */
  tensor(key: string): string {
    const [value, again] = [this.step.attributes[key], this.again.attributes[key]] as [Value | null, Value | null];
    return value && again ? this.nameOf(value, again) : "";
  }

  node(opType: string, inputs: readonly string[], attributes?: Readonly<Record<string, AttributeValue>>): string {
    return this.graph.node(this.place, opType, inputs, attributes);
  }

  /** A number of the result's dtype. */
  number(value: number): string {
    return this.graph.constant(this.dtype, [], [value]);
  }

  /** A tensor of the result's dtype. */
  numbers(values: ArrayLike<number>, shape: Shape): string {
    return this.graph.constant(this.dtype, shape, values);
  }

  filled(shape: Shape, value: number): string {
    return this.numbers(Array<number>(shape.reduce((n, size) => n * size, 1)).fill(value), shape);
  }

  /** Whole numbers, as shapes and axes are given. */
  whole(values: readonly number[]): string {
    return this.graph.constant("int64", [values.length], values);
  }

  /** A reduction: its axes are an attribute in older opsets. */
  reduce(opType: string, x: string, axes: readonly number[], keepdim: boolean): string {
    const keepdims = keepdim ? 1 : 0;
    if (opType === "ReduceSum" || this.opset >= 18) return this.node(opType, [x, this.whole(axes)], { keepdims });
    return this.node(opType, [x], { axes, keepdims });
  }

  /** Whether input and output have the same shape, whatever the batch. */
  get keepsShape(): boolean {
    const same = (step: Step) => step.inputs[0]?.shape.join() === step.output.shape.join();
    return same(this.step) && same(this.again);
  }

  /** The operation's result, or `x`, in the result's shape. */
  reshapeToOutput(x: string): string {
    return this.reshape(x, this.output.shape, this.again.output.shape);
  }

  private reshape(x: string, shape: Shape, again: Shape): string {
    const [from, fromAgain] = [this.step.inputs[0]?.shape ?? [], this.again.inputs[0]?.shape ?? []];
    let free = shape.filter((size, d) => size !== again[d]).length;
    const to = shape.map((size, d) => {
      if (size === again[d]) return size;
      // 0 is "as in the input"; one dimension may follow from the others.
      if (free > 1 && size === from[d] && again[d] === fromAgain[d]) {
        free--;
        return 0;
      }
      return -1;
    });
    if (free > 1) throw this.refusal("several sizes depend on the batch size", "export with { dynamicBatch: false }");
    return this.node("Reshape", [x, this.whole(to)]);
  }

  /** The first input, widened to the result's shape. */
  expandToOutput(): string {
    const [shape, again] = [this.output.shape, this.again.output.shape];
    const [from, fromAgain] = [this.info(0).shape, this.again.inputs[0]?.shape ?? []];
    const lead = shape.length - from.length;
    const fixed = shape.map((size, d) => {
      if (size === again[d]) return size;
      return size === from[d - lead] && again[d] === fromAgain[d - lead] ? 1 : null;
    });
    if (!fixed.includes(null)) return this.node("Expand", [this.input(0), this.whole(fixed as number[])]);
    const parts = shape.map((size, d) => {
      const known = fixed[d];
      if (known !== null) return this.whole([known]);
      const { batch } = this;
      if (batch && size === batch.sizes[0] && again[d] === batch.sizes[1]) return batch.name();
      throw this.refusal("a size depends on the batch size", "export with { dynamicBatch: false }");
    });
    return this.node("Expand", [this.input(0), this.node("Concat", parts, { axis: 0 })]);
  }

  refusal(why: string, advice: string): OnnxError {
    const { module, className, operation } = this.step;
    return new OnnxError(
      `${describe(module, className)}: ${operation} cannot be exported, ${why}`,
      advice,
      module,
      operation,
    );
  }
}
