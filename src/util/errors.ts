/** The base of every error that evenkeel raises on purpose: what was wrong, what was expected, what to do. */
export class EvenkeelError extends Error {
  /**
   * @param problem what was wrong and what was expected; PyTorch's own sentence where PyTorch has one
   * @param advice what to do about it
   */
  constructor(
    readonly problem: string,
    readonly advice?: string,
  ) {
    super(advice ? `${problem}: ${advice}` : problem);
    this.name = new.target.name;
  }
}

/** A tensor has the wrong rank, the wrong sizes, or sizes that do not go together. */
export class ShapeError extends EvenkeelError {}

/** A tensor has a dtype that the operation does not take. */
export class DTypeError extends EvenkeelError {}

/** An argument has a value outside what the operation takes. */
export class ArgumentError extends EvenkeelError {}

/** An index or a label lies outside its range. */
export class IndexRangeError extends EvenkeelError {}

/** Automatic differentiation was asked for something it cannot do. */
export class AutogradError extends EvenkeelError {}

/** A tensor was used after its memory had been given back. */
export class ReleasedTensorError extends EvenkeelError {}

/** The tensor heap is full. */
export class OutOfMemoryError extends EvenkeelError {}

/** A data set or its file is missing, cut short, or not what it should be. */
export class DataError extends EvenkeelError {}

/** A state dict does not fit the module it is loaded into. */
export class StateDictError extends EvenkeelError {}

/** This computer or runtime lacks something that was asked for. */
export class EnvironmentError extends EvenkeelError {}

/** Where in a checkpoint something is wrong. */
export interface CheckpointPlace {
  /** the path, or what the bytes were called */
  readonly file?: string;
  /** bytes from the start of the file, or of the part that `key` names */
  readonly offset?: number;
  /** the tensor, entry or field, such as "layer1.0.bn1.weight" */
  readonly key?: string;
}

/** A checkpoint is damaged, cut short, hostile, of a kind that is not read, or cannot be written: says where. */
export class CheckpointError extends EvenkeelError {
  constructor(
    problem: string,
    advice?: string,
    /** file, byte and key, as far as they are known; the message begins with them */
    readonly place: CheckpointPlace = {},
  ) {
    const { file, offset, key } = place;
    const parts = [file, offset !== undefined && `byte ${offset}`, key !== undefined && `"${key}"`].filter(Boolean);
    super(parts.length ? `${parts.join(", ")}: ${problem}` : problem, advice);
  }
}

/** A model holds something that ONNX, or this export, has no words for: names the module and its operation. */
export class OnnxError extends EvenkeelError {
  constructor(
    problem: string,
    advice?: string,
    /** path of the module, "" for the model itself; undefined where it is no module's fault */
    readonly module?: string,
    /** PyTorch's name of the operation */
    readonly operation?: string,
  ) {
    super(problem, advice);
  }
}
