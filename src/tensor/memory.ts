import type { Pointer } from "../kernels/backend.ts";
import { heap } from "../kernels/heap.ts";
import { ArgumentError, OutOfMemoryError, ReleasedTensorError } from "../util/errors.ts";

/*
 * Who gives tensor memory back. The garbage collector sees only the small JavaScript objects, never the megabytes they
 * stand for, so memory follows the program's structure instead:
 *
 * - A scope is what runs during one iteration over a loader, or inside `tidy`. What was made in it goes when the next iteration
 *   begins, or `tidy` ends.
 * - What is pinned stays: parameters, buffers, gradients, optimizer state, and whatever `keep()` was called on.
 * - A loop without a loader is recognised by its optimizer (StepMemory below).
 * - A finalizer frees what becomes unreachable elsewhere. It is only the safety net: it runs when the collector likes.
 */

/** Single numbers (a loss) outlive the step they were made in by one more, so that they can be read after `zeroGrad`. */
const SCALAR_BYTES = 8;

/** One block of the heap and who is responsible for it. Holds no tensor, so that unreachable tensors can be collected. */
class Allocation {
  live = true;
  pins = 0;
  /** whether it holds the result of a recorded operation */
  recorded = false;
  /** whether the finalizer knows of it */
  watched = false;
  /** `serial` when it was last read or written */
  lastUsed: number;
  /** its neighbours in the owner's list */
  previous: Allocation | null = null;
  next: Allocation | null = null;
  constructor(
    readonly pointer: Pointer,
    readonly bytes: number,
    public owner: Scope,
    /** order of creation */
    public serial: number,
  ) {
    this.lastUsed = serial;
  }
}

/** What was made during one stretch of the program and is not pinned: a linked list, since a step adds and removes some hundred allocations, and a Set takes 0.1 µs for each. */
export class Scope {
  private first: Allocation | null = null;
  private last: Allocation | null = null;
  /** number of allocations */
  size = 0;
  /** the last iteration of a loop that has ended: readable until the next iteration begins here */
  ended: Scope | null = null;
  constructor(readonly kind: "program" | "iteration" | "tidy") {}

  add(allocation: Allocation): void {
    const { last } = this;
    allocation.owner = this;
    allocation.previous = last;
    if (last) last.next = allocation;
    else this.first = allocation;
    this.last = allocation;
    this.size++;
  }

  remove(allocation: Allocation): void {
    const { previous, next } = allocation;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.last = previous;
    allocation.previous = allocation.next = null;
    this.size--;
  }

  /** Calls `visit` with every allocation, oldest first; it may remove the one that it is called with. */
  forEach(visit: (allocation: Allocation) => void): void {
    for (let at = this.first; at; ) {
      const { next } = at;
      visit(at);
      at = next;
    }
  }

  /** Bytes of all allocations. */
  get bytes(): number {
    let sum = 0;
    for (let at = this.first; at; at = at.next) sum += at.bytes;
    return sum;
  }
}

let serial = 0;
const program = new Scope("program");
const scopes: Scope[] = [program];
/** what is pinned belongs to no stretch of the program */
const pinned = new Scope("program");

const finalizer = new FinalizationRegistry<Allocation>((allocation) => release(allocation));

function top(): Scope {
  return scopes[scopes.length - 1];
}

/** Also forgets the safety net: its records are only cleared between tasks, and a training loop can be one long task. */
function release(allocation: Allocation): void {
  if (!allocation.live) return;
  allocation.live = false;
  allocation.owner.remove(allocation);
  if (allocation.watched) finalizer.unregister(allocation);
  else unwatched -= allocation.bytes;
  heap.free(allocation.pointer);
}

function moveTo(scope: Scope, allocation: Allocation): void {
  allocation.owner.remove(allocation);
  allocation.serial = serial++;
  scope.add(allocation);
}

/**
 * The newest storages. The finalizer hears only of those that are still alive when they fall off this ring, because it is full or they hold too much together: nearly all
 * are given back before, and to register one and take it off again costs 0.3 µs, several times that once a convolution has emptied the caches.
 */
const newest: (Storage | null)[] = new Array(512).fill(null);
/** Bytes of live storages that the finalizer does not know: at most this part of the heap's limit, mostly 128 MiB, more than a forward pass of ResNet-20 makes of 64 images. */
const UNWATCHED_PART = 1 / 32;
let unwatched = 0;
let made = 0;
let fallen = 0;

function watchLater(storage: Storage): void {
  newest[made++ % newest.length] = storage;
  unwatched += storage.bytes;
  while (unwatched > heap.limit * UNWATCHED_PART || made - fallen === newest.length) {
    const at = fallen++ % newest.length;
    newest[at]?.watch();
    newest[at] = null;
  }
}

/** The memory behind a tensor and all its views. */
export class Storage {
  /** counts in-place changes, so that backward notices a saved tensor that is no longer what it was */
  version = 0;
  /** gradients in it that a backward has on their way */
  holds = 0;
  /** the order in which storages were made */
  readonly born: number;
  private readonly allocation: Allocation;

  /**
   * @param bytes length; the content is undefined
   * @throws OutOfMemoryError with who holds how much
   */
  constructor(readonly bytes: number) {
    const scope = top();
    this.born = serial++;
    this.allocation = new Allocation(allocateOrExplain(bytes), bytes, scope, this.born);
    scope.add(this.allocation);
    watchLater(this);
  }

  /** Has the finalizer give the memory back when nobody can reach this. */
  watch(): void {
    const { allocation } = this;
    if (!allocation.live || allocation.watched) return;
    allocation.watched = true;
    unwatched -= allocation.bytes;
    finalizer.register(this, allocation, allocation);
  }

  /** Byte address of the first element. @throws ReleasedTensorError after the memory was given back */
  get pointer(): Pointer {
    const { allocation } = this;
    if (!allocation.live) throw releasedError();
    allocation.lastUsed = serial;
    return allocation.pointer;
  }

  /** Whether this holds the result of a recorded operation, which is of no use once its step is done. */
  set recorded(value: boolean) {
    this.allocation.recorded = value;
  }

  get isLive(): boolean {
    return this.allocation.live;
  }

  /** Keeps the memory until as many `unpin` as `pin` were called. */
  pin(): void {
    const { allocation } = this;
    if (!allocation.live) throw releasedError();
    if (allocation.pins++ === 0) moveTo(pinned, allocation);
  }

  /** After the last one the memory belongs to the running scope again. */
  unpin(): void {
    const { allocation } = this;
    if (allocation.pins > 0 && --allocation.pins === 0 && allocation.live) moveTo(top(), allocation);
  }

  get isPinned(): boolean {
    return this.allocation.pins > 0;
  }

  /** Whether the memory goes when the scope ends. */
  endsWith(scope: Scope): boolean {
    return scopes.indexOf(this.allocation.owner) >= scopes.indexOf(scope);
  }

  /** Gives the memory back now. Doing it twice does nothing. */
  release(): void {
    release(this.allocation);
  }
}

function releasedError(): ReleasedTensorError {
  return new ReleasedTensorError(
    "this tensor's memory was released when the step it was made in ended",
    "read it with item() or toArray() before the next iteration, or call keep() on it to hold it longer",
  );
}

function allocateOrExplain(bytes: number): Pointer {
  try {
    return heap.alloc(bytes);
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    const held = (scope: Scope) => `${scope.size} tensors of ${(scope.bytes / 2 ** 20).toFixed(1)} MiB`;
    const running = scopes.slice(1).map((scope) => `${held(scope)} in the running ${scope.kind}`);
    throw new OutOfMemoryError(
      `${(bytes / 2 ** 20).toFixed(1)} MiB do not fit in the tensor heap (limit ${(heap.limit / 2 ** 20).toFixed(0)} MiB): it holds ` +
        [`${held(pinned)} as parameters, buffers, gradients, optimizer state or kept`, ...running].join(", ") +
        `, and ${held(program)} made outside any loop`,
      "use a smaller batch, evaluate inside tidy(() => …) or a loop over a DataLoader, and read results with item() or toArray()",
    );
  }
}

/** Opens a scope; what is made from now on belongs to it. */
export function openScope(kind: "iteration" | "tidy"): Scope {
  if (kind === "iteration") releaseEnded(top());
  const scope = new Scope(kind);
  scopes.push(scope);
  return scope;
}

/** Ends a scope, and those inside it that were left open, and releases what they made and nobody pinned. */
export function closeScope(scope: Scope): void {
  const position = scopes.indexOf(scope);
  if (position < 0) return;
  while (scopes.length > position) releaseAll(scopes.pop() as Scope);
}

/** Ends the last iteration of a loop. Its tensors can still be read after the loop, until another iteration begins at the same place. */
export function leaveScope(scope: Scope): void {
  const position = scopes.indexOf(scope);
  if (position < 0) return;
  for (const inner of scopes.splice(position).slice(1)) releaseAll(inner);
  releaseEnded(top());
  top().ended = scope;
}

function releaseEnded(scope: Scope): void {
  if (scope.ended) releaseAll(scope.ended);
  scope.ended = null;
}

function releaseAll(scope: Scope): void {
  releaseEnded(scope);
  scope.forEach(release);
}

/** The number that the next storage's `born` will have. */
export function nextBorn(): number {
  return serial;
}

/** Bytes held by tensors, by what holds them, and the heap's own figures. */
export interface MemoryUsage {
  /** parameters, buffers, gradients, optimizer state and kept tensors */
  readonly pinned: number;
  /** made in the running iterations and tidy blocks, released when they end */
  readonly scoped: number;
  /** made outside of them */
  readonly program: number;
  /** number of live storages */
  readonly tensors: number;
  /** the most the heap had in use at once */
  readonly peak: number;
  /** taken from the system */
  readonly reserved: number;
}

/**
 * What tensors hold at this moment, in bytes.
 * @example
 * ```ts
 * import { memoryUsage, zeros } from "evenkeel";
 * const before = memoryUsage().program;
 * const x = zeros([256]);
 * memoryUsage().program - before; // => 1024
 * x.dispose();
 * ```
 */
export function memoryUsage(): MemoryUsage {
  const inner = [...scopes.slice(1), ...scopes.flatMap((scope) => (scope.ended ? [scope.ended] : []))];
  const { peak, reserved } = heap.usage();
  return {
    pinned: pinned.bytes,
    scoped: inner.reduce((bytes, scope) => bytes + scope.bytes, 0),
    program: program.bytes,
    tensors: [pinned, program, ...inner].reduce((count, scope) => count + scope.size, 0),
    peak,
    reserved,
  };
}

/**
 * Sets the most bytes that tensors may take from the system; 4 GiB at first, which is also the most there can be.
 * @example
 * ```ts
 * import { setMemoryLimit } from "evenkeel";
 * setMemoryLimit(2 * 2 ** 30);
 * ```
 */
export function setMemoryLimit(bytes: number): void {
  if (!(bytes > 0 && bytes <= 2 ** 32)) {
    throw new ArgumentError(`a memory limit of ${bytes} bytes was asked for`, "give a number from 1 to 2 ** 32");
  }
  heap.limit = bytes;
}

/**
 * Releases what loops without a loader leave behind, at `zeroGrad`, in whatever order the loop has:
 * - what recorded operations made before the optimizer's last `step`: it has done its work;
 * - of the rest (batches, an epoch's permutation, masks) what was not used since the step before that one;
 * - single numbers that were made before that one.
 * Forward passes made after the last step, and whatever existed before the loop, stay. Where an iteration over a loader began since the
 * last `zeroGrad`, the loader does the releasing and this does nothing.
 */
export class StepMemory {
  private scope: Scope | undefined;
  private from = 0;
  private steppedAt = -1;
  private steppedBefore = -1;

  onStep(): void {
    this.steppedAt = ++serial;
  }

  onZeroGrad(): void {
    const scope = top();
    if (this.scope !== scope) {
      this.scope = scope;
      this.from = serial;
      this.steppedAt = this.steppedBefore = -1;
      return;
    }
    const { from, steppedAt, steppedBefore } = this;
    if (steppedAt < 0) return;
    scope.forEach((allocation) => {
      if (allocation.serial < from || allocation.serial >= steppedAt) return;
      const inUse = !allocation.recorded && allocation.lastUsed >= steppedBefore;
      const readable = allocation.bytes <= SCALAR_BYTES && allocation.serial >= steppedBefore;
      if (!inUse && !readable) release(allocation);
    });
    this.steppedBefore = steppedAt;
    this.steppedAt = -1;
  }
}
