import { noGrad } from "../autograd/mode.ts";
import { heap } from "../kernels/heap.ts";
import { mul_ } from "../ops/inplace.ts";
import { ITEM_BYTES } from "../tensor/dtype.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { aliasOf, detachedCopy, emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import {
  type Communicator,
  checkInPlace,
  checkRankNumber,
  checkReducible,
  type PendingReduction,
  type ReduceOp,
  type ReduceOptions,
} from "./communicator.ts";
import type { Koffi, MpiLibrary } from "./mpi-library.ts";
import type { Watchdog } from "./watchdog.ts";

/** A reduction goes in pieces of so many bytes: 64 MiB at once take two to three times as long as in pieces of 1 MiB, which stay in the cache. */
const PIECE = 2 ** 20;
/** MPI counts in 32-bit integers. */
const MOST_BYTES = 2 ** 30;
/** A barrier looks so many times before it sleeps between looks, for so many ms. */
const LOOKS = 2000;
const NAP_MS = 0.5;

const nap = new Int32Array(new SharedArrayBuffer(4));

/** Memory outside the heap for what MPI writes: a handle, a flag. A buffer's bytes never move. */
class Cell {
  private readonly words = new Int32Array(new ArrayBuffer(16));
  /** of a handle */
  readonly address: number;
  /** of a number behind it */
  readonly flagAddress: number;

  constructor(koffi: Koffi) {
    this.address = Number(koffi.address(this.words));
    this.flagAddress = this.address + 8;
  }

  get flag(): number {
    return this.words[2];
  }

  handle(bytes: 4 | 8): number {
    return bytes === 4 ? this.words[0] : Number(new BigUint64Array(this.words.buffer, 0, 1)[0]);
  }
}

/** All ranks of an MPI job. Tensors are sent from, and received into, the memory they live in. */
export class MpiCommunicator implements Communicator {
  readonly rank: number;
  readonly worldSize: number;
  /** for startSum_, so that its sums are not matched with other calls */
  private readonly sums: number;
  private viewed: Uint8Array | null = null;
  private base = 0;

  constructor(
    private readonly koffi: Koffi,
    private readonly mpi: MpiLibrary,
    private readonly watchdog: Watchdog,
  ) {
    const { calls, world, handleBytes } = mpi;
    const cell = new Cell(koffi);
    const ask = (call: (comm: number, out: number) => number) => {
      call(world, cell.flagAddress);
      return cell.flag;
    };
    this.rank = ask(calls.commRank);
    this.worldSize = ask(calls.commSize);
    watchdog.during("init", () => calls.commDup(world, cell.address));
    this.sums = cell.handle(handleBytes);
  }

  /** Where a tensor's elements lie in the process. A shared memory never moves; one of its own may when it grows. */
  private addressOf(tensor: Tensor): number {
    const { u8 } = heap;
    if (u8 !== this.viewed) {
      this.base = Number(this.koffi.address(u8));
      this.viewed = u8;
    }
    return this.base + tensor.pointer;
  }

  allReduce(tensor: Tensor, options: ReduceOptions = {}): Tensor {
    checkReducible(tensor, options.op ?? "sum");
    return this.allReduce_(detachedCopy(tensor), options);
  }

  allReduce_(tensor: Tensor, { op = "sum" }: ReduceOptions = {}): Tensor {
    checkReducible(tensor, op);
    checkInPlace(tensor, "allReduce_");
    const { mpi } = this;
    const start = this.addressOf(tensor);
    const bytes = ITEM_BYTES[tensor.dtype];
    this.watchdog.during("allReduce", () => {
      for (let at = 0; at < tensor.numel; at += PIECE / bytes) {
        const count = Math.min(PIECE / bytes, tensor.numel - at);
        mpi.calls.allreduce(mpi.inPlace, start + at * bytes, count, ...this.typed(tensor, op), mpi.world);
      }
    });
    tensor.storage.version++;
    if (op === "mean") noGrad(() => mul_(tensor, 1 / this.worldSize));
    return tensor;
  }

  /** Handles of the dtype and of the operation that a reduction is made of. */
  private typed({ dtype }: Tensor, op: ReduceOp): [type: number, op: number] {
    const { types, ops } = this.mpi;
    return [types[dtype] as number, ops[op === "mean" ? "sum" : op]];
  }

  startSum_(tensor: Tensor): PendingReduction {
    checkReducible(tensor, "sum");
    checkInPlace(tensor, "startSum_");
    const { mpi, watchdog } = this;
    const { calls, statusIgnore } = mpi;
    const cell = new Cell(this.koffi);
    let done = false;
    const test = () => {
      if (done) return true;
      calls.test(cell.address, cell.flagAddress, statusIgnore);
      done = cell.flag !== 0;
      return done;
    };
    const wait = () => {
      if (!done) watchdog.during("startSum_", () => calls.wait(cell.address, statusIgnore));
      done = true;
    };
    const address = this.addressOf(tensor);
    calls.iallreduce(mpi.inPlace, address, tensor.numel, ...this.typed(tensor, "sum"), this.sums, cell.address);
    tensor.storage.version++;
    if (!heap.shared) wait();
    return { test, wait };
  }

  allGather(tensor: Tensor): Tensor[] {
    const { mpi, worldSize } = this;
    const source = packed(tensor);
    const { shape, dtype, nbytes } = source;
    const all = emptyTensor([worldSize, ...shape], dtype);
    const [from, to] = [this.addressOf(source), this.addressOf(all)];
    this.watchdog.during("allGather", () =>
      mpi.calls.allgather(from, nbytes, mpi.bytes, to, nbytes, mpi.bytes, mpi.world),
    );
    if (source !== tensor) source.storage.release();
    const strides = contiguousStrides(shape);
    return Array.from({ length: worldSize }, (_, rank) => aliasOf(all, shape, strides, rank * source.numel));
  }

  broadcast_(tensor: Tensor, { source = 0 }: { source?: number } = {}): Tensor {
    checkRankNumber(source, this.worldSize);
    checkInPlace(tensor, "broadcast_");
    const { mpi } = this;
    const { nbytes } = tensor;
    const start = this.addressOf(tensor);
    this.watchdog.during("broadcast_", () => {
      for (let at = 0; at < nbytes; at += MOST_BYTES) {
        mpi.calls.bcast(start + at, Math.min(MOST_BYTES, nbytes - at), mpi.bytes, source, mpi.world);
      }
    });
    tensor.storage.version++;
    return tensor;
  }

  barrier(): void {
    this.watchdog.during("barrier", () => this.waitForAll());
  }

  private waitForAll(): void {
    const { calls, world, statusIgnore } = this.mpi;
    const cell = new Cell(this.koffi);
    calls.ibarrier(world, cell.address);
    for (let looks = 0; ; looks++) {
      calls.test(cell.address, cell.flagAddress, statusIgnore);
      if (cell.flag !== 0) return;
      if (looks > LOOKS) Atomics.wait(nap, 0, 0, NAP_MS);
    }
  }

  /** Leaves the job when every rank does. No time-out: a rank that has done its part may wait for one that still evaluates. */
  finalize(): void {
    this.waitForAll();
    this.mpi.calls.finalize();
  }
}
