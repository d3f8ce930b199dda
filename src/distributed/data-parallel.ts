import { afterBackward } from "../autograd/engine.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import { Module } from "../nn/module.ts";
import { isUninitialized } from "../nn/uninitialized.ts";
import { tensor } from "../tensor/creation.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, AutogradError, DTypeError } from "../util/errors.ts";
import { type Bucket, makeBuckets, type Slot } from "./buckets.ts";
import type { Communicator } from "./communicator.ts";
import { communicator } from "./init.ts";
import { broadcastAll, checkSameModule } from "./same-everywhere.ts";

/** Options of DistributedDataParallel. */
export interface DistributedDataParallelOptions {
  /** the ranks that train together; those of `init` */
  processGroup?: Communicator;
  /** gradients are reduced in pieces of about so many bytes; 1 MiB */
  bucketBytes?: number;
  /** give the buffers (running statistics) of rank 0 to all before each training pass; true. SyncBatchNorm's are equal without it */
  broadcastBuffers?: boolean;
  /** parameters may be left out of a backward, on some ranks or on all; false: then it is an error that names them */
  findUnusedParameters?: boolean;
}

/**
 * A model that is trained on the batches of all ranks together: parameters and buffers start as rank 0's, and when `backward` returns every gradient is the mean of all ranks', the same bits
 * on each. Gradients are summed in buckets, each as soon as its last one is there, while backward goes on. With a loss by `globalMean`, or equal shares, k ranks compute the gradient of the
 * whole batch; where layers mix the batch convert them first (nn.convertSyncBatchNorm). `grad` of a parameter is a view of its bucket, which the next backward overwrites.
 *
 * The model itself is `module`: evaluate and save that. As torch.nn.parallel.DistributedDataParallel (with gradient_as_bucket_view).
 * @throws ArgumentError on every rank if the models differ, if nothing is trained, or for a lazy layer without a shape
 * @throws DTypeError for float16 and bfloat16 parameters
 * @throws AutogradError from backward if parameters were left out of it
 * @example
 * ```ts
 * import { nn, optim, randn } from "evenkeel";
 * import { DistributedDataParallel, init } from "evenkeel/distributed";
 * await init();
 * const model = new nn.Sequential(new nn.Linear(4, 3), new nn.BatchNorm1d(3));
 * const parallel = new DistributedDataParallel(nn.convertSyncBatchNorm(model));
 * const optimizer = new optim.SGD(parallel.parameters(), { lr: 0.1 });
 * parallel.forward(randn([8, 4])).square().mean().backward();
 * optimizer.step();
 * ```
 */
export class DistributedDataParallel extends Module {
  readonly #ranks: Communicator;
  readonly #buckets: readonly Bucket[];
  readonly #broadcastBuffers: boolean;
  readonly #findUnused: boolean;
  /** whether backward reduces: not inside noSync */
  #syncing = true;
  /** number of buckets whose reduction has begun in this backward, or −1 outside */
  #started = -1;

  constructor(
    readonly module: Module,
    options: DistributedDataParallelOptions = {},
  ) {
    super();
    const { processGroup = communicator(), bucketBytes = 2 ** 20 } = options;
    this.#ranks = processGroup;
    this.#broadcastBuffers = options.broadcastBuffers ?? true;
    this.#findUnused = options.findUnusedParameters ?? false;
    if (!(bucketBytes > 0)) throw new ArgumentError(`buckets of ${bucketBytes} bytes were asked for`);
    if (module.parameters().some(isUninitialized) || module.buffers().some(isUninitialized)) {
      throw new ArgumentError(
        "Modules with uninitialized parameters can't be used with `DistributedDataParallel`. Run a dummy forward pass to correctly initialize the modules",
      );
    }
    const trained = module.namedParameters().filter(([, parameter]) => parameter.requiresGrad);
    if (trained.length === 0) {
      throw new ArgumentError(
        "DistributedDataParallel is not needed when a module doesn't have any parameters that require a gradient.",
      );
    }
    const strange = trained.find(([, { dtype }]) => !isFloat(dtype));
    if (strange) {
      throw new DTypeError(
        `${strange[0]} is ${strange[1].dtype}, which ranks cannot add`,
        "train float32 parameters: model.float()",
      );
    }
    if (processGroup.worldSize === 1) {
      this.#buckets = [];
      return;
    }
    checkSameModule(processGroup, module);
    broadcastAll(processGroup, [...module.parameters(), ...module.buffers()]);
    this.#buckets = makeBuckets(trained, bucketBytes);
    for (const bucket of this.#buckets) {
      for (const slot of bucket.slots) {
        slot.parameter.registerPostAccumulateGradHook(() => this.onGradient(slot));
      }
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: modules take and give whatever they like
  forward(...inputs: any[]): any {
    if (this.#buckets.length > 0 && this.#broadcastBuffers && this.training && this.#syncing && isGradEnabled()) {
      broadcastAll(this.#ranks, this.module.buffers());
    }
    return this.module.forward(...inputs);
  }

  override forwardMany(inputs: readonly Tensor[]): Tensor[] {
    return this.module.forwardMany(inputs);
  }

  /**
   * Runs `body` without reducing gradients: each rank accumulates its own, and the next backward outside reduces what came together. For an async body it holds until the promise settles.
   * As no_sync.
   */
  noSync<T>(body: () => T): T {
    const before = this.#syncing;
    this.#syncing = false;
    const restore = () => {
      this.#syncing = before;
    };
    let result: T;
    try {
      result = body();
    } catch (error) {
      restore();
      throw error;
    }
    if (result instanceof Promise) return result.finally(restore) as T;
    restore();
    return result;
  }

  private onGradient(slot: Slot): void {
    if (!this.#syncing) return;
    if (this.#started < 0) {
      this.#started = 0;
      for (const bucket of this.#buckets) bucket.open();
      afterBackward(() => this.finish());
    }
    slot.bucket.fill(slot, true);
    // MPI moves a message on only while it is called.
    for (let i = 0; i < this.#started; i++) this.#buckets[i].poke();
    this.startComplete();
  }

  /** In the order of the buckets, the same on all ranks. */
  private startComplete(): void {
    while (this.#started < this.#buckets.length && this.#buckets[this.#started].complete) {
      this.#buckets[this.#started++].start(this.#ranks);
    }
  }

  private finish(): void {
    const unused = this.#buckets.flatMap(({ slots }) => slots.filter(({ ready }) => !ready));
    for (const slot of unused) slot.bucket.fill(slot, false);
    this.startComplete();
    this.#started = -1;
    for (const bucket of this.#buckets) bucket.finish(this.#ranks.worldSize);
    if (this.#findUnused) this.settleUnused(unused);
    else if (unused.length > 0) {
      throw new AutogradError(
        `backward left out parameters of DistributedDataParallel: ${unused.map(({ name }) => name).join(", ")}`,
        "use all of them in the loss, freeze those that are not trained before wrapping, or set findUnusedParameters: true",
      );
    }
  }

  /** What another rank used has a gradient here too; what none used keeps the one it had. */
  private settleUnused(unused: readonly Slot[]): void {
    const slots = this.#buckets.flatMap((bucket) => bucket.slots);
    const used = tidy(() => {
      const flags = tensor(Uint8Array.from(slots, ({ ready }) => (ready ? 1 : 0)));
      return this.#ranks.allReduce_(flags, { op: "max" }).toTypedArray();
    });
    for (const slot of unused) {
      if (!used[slots.indexOf(slot)]) continue;
      slot.parameter.releaseGrad();
      slot.parameter.grad = slot.gradient;
    }
  }
}
