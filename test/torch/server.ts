import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { blockOf, type Case, camel, numelOf, type Outcome, type Truth, type Values } from "./case.ts";

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float32Array,
  bfloat16: Float32Array,
  int64: BigInt64Array,
};

/** Bytes before the JSON: the lengths of both parts. */
const HEAD = 8;

interface Written {
  dtype: keyof typeof ARRAYS;
  shape: number[];
  offset: number;
}

function named<From, To>(step: Record<string, From>, read: (from: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(step).map(([name, value]) => [camel(name), read(value)]));
}

/** A Python that can import torch, or undefined. Debian's comes first: another one on the path seldom sees Debian's packages. */
export function findPython(): string | undefined {
  return ["/usr/bin/python3", "python3"].find((python) => spawnSync(python, ["-c", "import torch"]).status === 0);
}

/** A PyTorch process that answers cases one after another. */
export class Torch {
  private readonly process: ChildProcessByStdio<Writable, Readable, null>;
  private readonly waiting: ((message: [Record<string, never>, ArrayBuffer]) => void)[] = [];
  private chunks: Buffer[] = [];
  /** bytes in the chunks, and how many the next step needs */
  private size = 0;
  private wanted = HEAD;
  private failed: Error | null = null;
  /** PyTorch's version */
  readonly version: Promise<string>;

  constructor(python: string, script = "test/torch/server.py") {
    this.process = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
    this.process.stdout.on("data", (chunk: Buffer) => this.receive(chunk));
    this.process.on("exit", (code) => {
      if (this.waiting.length === 0) return;
      this.failed = new Error(`${python} ${script} ended with code ${code}; what it said is above`);
      throw this.failed;
    });
    this.version = this.next().then(([{ torch }]) => torch);
  }

  private next(): Promise<[Record<string, never>, ArrayBuffer]> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private receive(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    // Large answers come in thousands of chunks: they are joined once.
    while (this.size >= this.wanted) {
      const received = Buffer.concat(this.chunks);
      const [json, data] = [received.readUInt32LE(0), received.readUInt32LE(4)];
      const end = HEAD + json + data;
      this.chunks = [received];
      this.wanted = end;
      if (this.size < end) return;
      const message = JSON.parse(received.toString("utf8", HEAD, HEAD + json));
      // a copy, so that the arrays over it are aligned
      const bytes = new Uint8Array(received.subarray(HEAD + json, end)).buffer;
      this.chunks = [received.subarray(end)];
      this.size -= end;
      this.wanted = HEAD;
      this.waiting.shift()?.([message, bytes]);
    }
  }

  /** The message for a case, and what reads a tensor of the answer. */
  private async ask(item: Case, truth: boolean) {
    const parts: Uint8Array[] = [];
    let offset = 0;
    const write = (values: Values) => {
      const { dtype, shape, data } = blockOf(values);
      const written = { dtype, shape, offset, layout: values.layout };
      const padding = -data.byteLength & 7;
      parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), new Uint8Array(padding));
      offset += data.byteLength + padding;
      return written;
    };
    const json = Buffer.from(
      JSON.stringify({
        ...item,
        truth,
        state: Object.fromEntries(Object.entries(item.state).map(([key, values]) => [key, write(values)])),
        steps: item.steps.map(({ training, input, gradOutput, gradTwice }) => ({
          training,
          input: write(input),
          gradOutput: write(gradOutput),
          gradTwice: gradTwice && write(gradTwice),
        })),
      }),
    );
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(json.length, 0);
    head.writeUInt32LE(offset, 4);
    const answer = this.next();
    this.process.stdin.write(Buffer.concat([head, json, ...parts]));
    const [message, bytes] = await answer;
    const read = ({ dtype, shape, offset }: Written): Values => ({
      dtype,
      shape,
      data: new ARRAYS[dtype](bytes, offset, numelOf(shape)),
    });
    return { message: message as unknown, read };
  }

  /** What PyTorch makes of a case. */
  async run(item: Case): Promise<Outcome> {
    const { message, read } = await this.ask(item, false);
    const { steps, error } = message as { steps: Record<string, Written>[]; error: string | null };
    return { steps: steps.map((step) => named(step, read)), error };
  }

  /** What a case comes to exactly. */
  async truth(item: Case): Promise<Truth[]> {
    const { message, read } = await this.ask(item, true);
    const { steps } = message as { steps: Record<string, { high: Written; rest: Written; term: number }>[] };
    return steps.map((step) =>
      named(step, ({ high, rest, term }) => ({ high: read(high).data, rest: read(rest).data, term })),
    );
  }

  close(): void {
    this.process.stdin.end();
  }
}
