import { CheckpointError } from "../util/errors.ts";
import { call, dictKey, lookUp, PickleRefusal, storageType, whole } from "./pickle-globals.ts";
import {
  PickleDict,
  PickleList,
  PickleNumpyType,
  PickleStorage,
  PickleTuple,
  type PickleValue,
} from "./pickle-values.ts";

/** The pickle ends before its STOP: more of the file may help. */
export class PickleEnd extends Error {}

/** Python's integers are unlimited; 128 bytes are more than any state needs. */
const MOST_INTEGER = 128;
const MODULE_ADVICE =
  "nothing of it was executed. The file holds more than tensors and plain values: in Python, save model.state_dict() instead of the model";
const HOSTILE_ADVICE =
  "nothing of it was executed. A checkpoint holds tensors and plain values alone; if you trust the file, load it in PyTorch and save its state_dict()";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A pickle's value, and where the pickle ended. */
export interface Unpickled {
  readonly value: PickleValue;
  /** by key, in the order they were met */
  readonly storages: ReadonlyMap<string, PickleStorage>;
  readonly end: number;
}

/**
 * Reads a pickle of protocol 2 to 5 as data. The virtual machine has the opcodes that state dicts need; globals are looked up in an
 * allow-list, and what they make is data too. Time and memory are bounded by the length of the pickle.
 * @throws CheckpointError naming what is refused, with the byte
 * @throws PickleEnd if the bytes end before the pickle does
 */
export function unpickle(bytes: Uint8Array, file: string, start = 0): Unpickled {
  return new Machine(bytes, file, start).run();
}

class Machine {
  private readonly view: DataView;
  private readonly stack: PickleValue[] = [];
  /** lengths of the stack at open marks */
  private readonly marks: number[] = [];
  private readonly storages = new Map<string, PickleStorage>();
  private readonly memo = new Map<number, PickleValue>();
  private at: number;
  private opAt = 0;
  /** Work left: repeating a small piece of the pickle must not make much of it. */
  private budget: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
    start: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = start;
    this.budget = 1e5 + 16 * bytes.length;
  }

  private fail(problem: string, advice = "the file is damaged, or no checkpoint"): CheckpointError {
    return new CheckpointError(`pickle: ${problem}`, advice, { file: this.file, offset: this.opAt });
  }

  run(): Unpickled {
    for (;;) {
      this.opAt = this.at;
      const opcode = this.take(1);
      try {
        if (this.bytes[opcode] === 0x2e) return { value: this.pop(), storages: this.storages, end: this.at };
        this.step(this.bytes[opcode]);
      } catch (error) {
        if (error instanceof PickleRefusal) throw this.fail(error.message);
        throw error;
      }
    }
  }

  /** Moves on by so many bytes; returns where they begin. */
  private take(length: number): number {
    const from = this.at;
    if (from + length > this.bytes.length) throw new PickleEnd();
    this.at += length;
    this.charge(1);
    return from;
  }

  private charge(work: number): void {
    this.budget -= work;
    if (this.budget < 0) throw this.fail("it repeats itself to grow beyond all measure");
  }

  private push(value: PickleValue): void {
    this.stack.push(value);
  }

  private pop(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.fail("its stack is empty");
    return this.stack.pop() as PickleValue;
  }

  private top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  /** What was pushed since the last mark. */
  private popMark(): PickleValue[] {
    const from = this.marks.pop();
    if (from === undefined) throw this.fail("a mark is missing");
    const items = this.stack.splice(from);
    this.charge(items.length);
    return items;
  }

  private text(length: number): string {
    const from = this.take(length);
    this.charge(length);
    try {
      return utf8.decode(this.bytes.subarray(from, from + length));
    } catch {
      throw this.fail("a string is no UTF-8");
    }
  }

  /** A line of a GLOBAL. */
  private line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw new PickleEnd();
    const text = this.text(end - this.at);
    this.take(1);
    return text;
  }

  private length32(): number {
    const length = this.view.getInt32(this.take(4), true);
    if (length < 0) throw this.fail(`a length of ${length} bytes`);
    return length;
  }

  private length64(): number {
    const length = Number(this.view.getBigUint64(this.take(8), true));
    if (length > 2 ** 53) throw this.fail(`a length of ${length} bytes`);
    return length;
  }

  private raw(length: number): Uint8Array {
    const from = this.take(length);
    this.charge(length);
    return this.bytes.slice(from, from + length);
  }

  /** Little-endian, two's complement. */
  private integer(length: number): number | bigint {
    if (length > MOST_INTEGER) throw this.fail(`an integer of ${length} bytes`);
    const from = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]);
    return whole(BigInt.asIntN(8 * length, value));
  }

  private recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.fail(`the memo has no ${index}`);
    return value;
  }

  private global(name: string): PickleValue {
    const known = lookUp(name);
    if (known === undefined) {
      const isModule = /^(torch\.nn|torchvision|timm|models?|utils|__main__|__torch__)\b/.test(name);
      throw this.fail(
        `it asks for ${name.slice(0, 200)}, which no state dict needs`,
        isModule ? MODULE_ADVICE : HOSTILE_ADVICE,
      );
    }
    return known;
  }

  private reduce(): PickleValue {
    const args = this.pop();
    const callee = this.pop();
    if (args instanceof PickleTuple) {
      for (const arg of args.items) {
        if (typeof arg === "string") this.charge(arg.length);
        else if (arg instanceof PickleDict) this.charge(arg.entries.size);
        else if (arg instanceof Uint8Array) this.charge(arg.length);
        else if (arg instanceof PickleList || arg instanceof PickleTuple) this.charge(arg.items.length);
      }
    }
    return call(callee, args);
  }

  /** Attributes of an object: the version numbers of a state dict, the fields of a namespace. Anything else's do not matter, or are refused. */
  private build(): void {
    const state = this.pop();
    const object = this.top();
    if (object instanceof PickleNumpyType) {
      if (state instanceof PickleTuple && state.items[1] !== ">") return;
      throw this.fail("a numpy type of big-endian numbers");
    }
    if (!(object instanceof PickleDict) || !(state instanceof PickleDict))
      throw this.fail("attributes are set on what has none");
    if (object.kind === "Namespace") {
      this.charge(state.entries.size);
      for (const [key, value] of state.entries) object.entries.set(key, value);
    } else object.attributes = state;
  }

  /** torch's ('storage', type, key, location, numel); older files add a view, None where there is none. */
  private persistent(): PickleStorage {
    const id = this.pop();
    const [kind, type, key, , numel, viewed = null] = id instanceof PickleTuple ? id.items : [];
    if (kind !== "storage" || typeof key !== "string") throw this.fail("a persistent id that is no storage");
    if (!Number.isSafeInteger(numel) || (numel as number) < 0)
      throw this.fail(`a storage of ${String(numel)} elements`);
    if (viewed !== null)
      throw this.fail("a view of a storage, which PyTorch 0.3 and older wrote", "save it again with a newer PyTorch");
    const stored = storageType(type);
    const storage = this.storages.get(key) ?? new PickleStorage(key, stored, numel as number);
    if (storage.stored !== stored || storage.numel !== numel)
      throw this.fail(`the storage "${key}" has two types or two sizes`);
    this.storages.set(key, storage);
    return storage;
  }

  private append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PickleList)) throw this.fail("items are appended to what is no list");
    for (const item of items) list.items.push(item);
  }

  private setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict) || items.length % 2) throw this.fail("items are set on what is no dict");
    for (let i = 0; i < items.length; i += 2) dict.entries.set(dictKey(items[i]), items[i + 1]);
  }

  private tuple(length: number): PickleTuple {
    const items: PickleValue[] = [];
    for (let i = 0; i < length; i++) items.unshift(this.pop());
    return new PickleTuple(items);
  }

  private step(opcode: number): void {
    const value = this.literal(opcode);
    if (value === undefined) this.act(opcode);
    else this.push(value);
  }

  /** What an opcode that only pushes a value pushes. */
  private literal(opcode: number): PickleValue | undefined {
    const { view } = this;
    switch (opcode) {
      case 0x4e:
        return null;
      case 0x88:
        return true;
      case 0x89:
        return false;
      case 0x4b: // BININT1, BININT2, BININT
        return view.getUint8(this.take(1));
      case 0x4d:
        return view.getUint16(this.take(2), true);
      case 0x4a:
        return view.getInt32(this.take(4), true);
      case 0x8a: // LONG1, LONG4
        return this.integer(view.getUint8(this.take(1)));
      case 0x8b:
        return this.integer(this.length32());
      case 0x47: // BINFLOAT
        return view.getFloat64(this.take(8), false);
      case 0x58: // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
        return this.text(view.getUint32(this.take(4), true));
      case 0x8c:
        return this.text(view.getUint8(this.take(1)));
      case 0x8d:
        return this.text(this.length64());
      case 0x55: // SHORT_BINSTRING, BINSTRING: Python 2's
        return this.text(view.getUint8(this.take(1)));
      case 0x54:
        return this.text(this.length32());
      case 0x43: // SHORT_BINBYTES, BINBYTES, BINBYTES8
        return this.raw(view.getUint8(this.take(1)));
      case 0x42:
        return this.raw(view.getUint32(this.take(4), true));
      case 0x8e:
        return this.raw(this.length64());
      case 0x5d: // EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE
        return new PickleList();
      case 0x7d:
        return new PickleDict("dict");
      case 0x29:
        return new PickleTuple([]);
      case 0x85: // TUPLE1, TUPLE2, TUPLE3
      case 0x86:
      case 0x87:
        return this.tuple(opcode - 0x84);
      case 0x74: // TUPLE
        return new PickleTuple(this.popMark());
      case 0x68: // BINGET, LONG_BINGET
        return this.recall(view.getUint8(this.take(1)));
      case 0x6a:
        return this.recall(view.getUint32(this.take(4), true));
      case 0x63: {
        const module = this.line();
        return this.global(`${module}.${this.line()}`);
      }
      case 0x93: {
        const [name, module] = [this.pop(), this.pop()];
        if (typeof name !== "string" || typeof module !== "string") throw this.fail("a global without a name");
        return this.global(`${module}.${name}`);
      }
      case 0x52: // REDUCE, NEWOBJ
      case 0x81:
        return this.reduce();
      case 0x51: // BINPERSID
        return this.persistent();
      default:
        return undefined;
    }
  }

  /** An opcode that does something with what is there. */
  private act(opcode: number): void {
    const { view } = this;
    switch (opcode) {
      case 0x80: {
        const protocol = view.getUint8(this.take(1));
        if (protocol < 2 || protocol > 5) throw this.fail(`protocol ${protocol}`, "save with protocol 2 to 5");
        break;
      }
      case 0x95: // FRAME: how much to read ahead
        this.take(8);
        break;
      case 0x28: // MARK
        this.marks.push(this.stack.length);
        break;
      case 0x30: // POP
        this.pop();
        break;
      case 0x61: // APPEND, APPENDS
        this.append([this.pop()]);
        break;
      case 0x65:
        this.append(this.popMark());
        break;
      case 0x73: {
        const value = this.pop();
        this.setItems([this.pop(), value]);
        break;
      }
      case 0x75: // SETITEMS
        this.setItems(this.popMark());
        break;
      case 0x71: // BINPUT, LONG_BINPUT, MEMOIZE
        this.memo.set(view.getUint8(this.take(1)), this.top());
        break;
      case 0x72:
        this.memo.set(view.getUint32(this.take(4), true), this.top());
        break;
      case 0x94:
        this.memo.set(this.memo.size, this.top());
        break;
      case 0x62:
        this.build();
        break;
      default:
        throw this.fail(`opcode 0x${opcode.toString(16).padStart(2, "0")}, which no state dict needs`, HOSTILE_ADVICE);
    }
  }
}
