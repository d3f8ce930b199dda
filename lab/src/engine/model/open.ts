import { io, nn, Tensor, tools } from "evenkeel";
import { type FileFailure, failureOf } from "./failure.ts";

/** One tensor of a file. */
export interface TensorEntry {
  readonly key: string;
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** A state dict inside a file: the whole of it, or a part of what a trainer kept. */
export interface Part {
  /** where it lies, such as "model" or "generator.state_dict"; "" for the whole file */
  readonly path: string;
  readonly tensors: number;
  readonly parameters: number;
}

/** What is seen of a file; plain data. */
export interface ModelReport {
  readonly file: string;
  readonly bytes: number;
  readonly format: "safetensors" | "torch";
  readonly part: string;
  readonly parts: readonly Part[];
  /** how long reading and examining took */
  readonly milliseconds: number;
  readonly tensors: readonly TensorEntry[];
  readonly parameters: number;
  readonly layers: readonly tools.LayerInspection[];
  /** the worst first */
  readonly findings: readonly tools.Finding[];
  /** the library's English texts of these findings, with names in braces for their evidence */
  readonly texts: Readonly<Partial<Record<tools.FindingCode, tools.FindingText>>>;
}

export type OpenResult = { readonly report: ModelReport } | { readonly failure: FileFailure };

type State = ReadonlyMap<string, Tensor>;

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** The tensors of a dict, if it has any; other values beside them are left out. */
function tensorsOf(value: unknown): State | null {
  const entries = value instanceof Map ? [...value] : isPlainObject(value) ? Object.entries(value) : [];
  const tensors = entries.filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  return tensors.length > 0 ? nn.StateDict.from(new Map(tensors.map(([key, tensor]) => [String(key), tensor]))) : null;
}

/** Names of what optimizers keep: its tensors are no weights of layers. */
const OPTIMIZER = /(^|[._])(optim\w*|opt|scaler|scheduler\w*)([._]|$)/i;

/** All state dicts in a checkpoint, whatever the trainer called them; those of optimizers only if there are no others. */
function partsOf(value: unknown): Map<string, State> {
  const found = new Map<string, State>();
  const visit = (inside: unknown, path: string, depth: number) => {
    const own = tensorsOf(inside);
    if (own) found.set(path, own);
    if (depth === 0) return;
    const entries = inside instanceof Map ? [...inside] : isPlainObject(inside) ? Object.entries(inside) : [];
    for (const [key, child] of entries) visit(child, path ? `${path}.${String(key)}` : String(key), depth - 1);
  };
  visit(value, "", 4);
  const models = [...found].filter(([path]) => !OPTIMIZER.test(path));
  return new Map(models.length > 0 ? models : found);
}

const parametersOf = (state: State) => [...state.values()].reduce((sum, { numel }) => sum + numel, 0);
const SEVERITIES = ["error", "warning", "note"];

/** The file that is open in this worker. Its tensors stay in memory until another one is opened, so that it can be saved in another format. */
export class OpenModel {
  private readonly parts: Map<string, State>;

  private constructor(
    private readonly file: File,
    private readonly value: unknown,
    private readonly format: ModelReport["format"],
    private readonly readingMs: number,
  ) {
    this.parts = partsOf(value);
  }

  /** Reads a file in pieces, straight into the tensor heap. @throws CheckpointError, OutOfMemoryError */
  static async open(file: File, onProgress: (done: number, total: number) => void): Promise<OpenModel> {
    const began = performance.now();
    const value = await io.load<object>(file, { onProgress });
    const start = new Uint8Array(await file.slice(0, 9).arrayBuffer());
    const format = start[8] === 0x7b ? "safetensors" : "torch";
    return new OpenModel(file, value, format, performance.now() - began);
  }

  /** The part with the most numbers: an average of the weights has as many as the weights, and comes later. */
  private get largest(): string {
    const sizes = [...this.parts].map(([path, state]) => ({ path, size: parametersOf(state) }));
    return sizes.reduce((a, b) => (b.size > a.size ? b : a), { path: "", size: -1 }).path;
  }

  /** Examines one part; the largest if none is named. */
  async report(part = this.largest): Promise<OpenResult> {
    const state = this.parts.get(part);
    if (!state) return { failure: failureOf(new Error("no tensors"), this.file.name) };
    const began = performance.now();
    const { layers, findings } = await tools.inspect(state);
    const rank = ({ severity }: tools.Finding) => SEVERITIES.indexOf(severity);
    return {
      report: {
        file: this.file.name,
        bytes: this.file.size,
        format: this.format,
        part,
        parts: [...this.parts].map(([path, tensors]) => ({
          path,
          tensors: tensors.size,
          parameters: parametersOf(tensors),
        })),
        milliseconds: this.readingMs + performance.now() - began,
        tensors: [...state].map(([key, { shape, dtype }]) => ({ key, shape: [...shape], dtype })),
        parameters: parametersOf(state),
        layers,
        findings: findings.toSorted((a, b) => rank(a) - rank(b)),
        texts: Object.fromEntries(findings.map(({ code }) => [code, tools.FINDING_TEXTS[code]])),
      },
    };
  }

  /** One part as the bytes of a safetensors file. */
  async safetensors(part: string): Promise<Uint8Array> {
    const state = this.parts.get(part);
    if (!state) throw new Error(`there is no part "${part}"`);
    return io.save(null, state, { format: "safetensors" });
  }

  /** Gives the memory of all its tensors back. */
  dispose(): void {
    const visit = (value: unknown) => {
      if (value instanceof Tensor) value.dispose();
      else if (value instanceof Map) for (const child of value.values()) visit(child);
      else if (Array.isArray(value)) for (const child of value) visit(child);
      else if (isPlainObject(value)) for (const child of Object.values(value)) visit(child);
    };
    visit(this.value);
  }
}
