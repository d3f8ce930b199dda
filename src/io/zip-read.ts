import { CheckpointError } from "../util/errors.ts";
import { bytesSource, type Source } from "./source.ts";

/** A file inside a zip file, as its central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly compressed: boolean;
  /** bytes in the zip file */
  readonly storedSize: number;
  /** bytes of its content */
  readonly size: number;
  /** undefined where the writer computed none, which is written as 0 */
  readonly crc: number | undefined;
  /** where its local header begins */
  readonly start: number;
  /** where the next entry, or the directory, begins */
  readonly limit: number;
}

/** Where an entry's content lies: in the zip file itself, or inflated beside it. */
export interface ZipContent {
  readonly source: Source;
  readonly offset: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX32 = 0xffffffff;

/** An end record has 22 bytes and at most 65,535 of a comment, a locator of the 64-bit end record 20 before it. */
const TAIL = 22 + 65535 + 20;
/** A million entries of 256 bytes: no checkpoint has more. */
const MOST_DIRECTORY = 2 ** 28;
/** What compressed entries may take in all, in sizes of the file: PyTorch compresses nothing, and weights hardly shrink. */
const MOST_INFLATION = 100;

const utf8 = new TextDecoder("utf-8", { fatal: true });
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const u64 = (view: DataView, at: number) => Number(view.getBigUint64(at, true));

/**
 * The entries of a zip file, stored or deflated, 64-bit sizes included; nothing is unpacked yet. Every name and range is checked here, so that
 * what follows can trust them.
 */
export class ZipReader {
  readonly entries = new Map<string, ZipEntry>();
  private readonly source: Source;
  private inflated = 0;

  private constructor(source: Source) {
    this.source = source;
  }

  /** @throws CheckpointError if the directory is damaged or hostile */
  static async open(source: Source): Promise<ZipReader> {
    const reader = new ZipReader(source);
    await reader.readDirectory();
    return reader;
  }

  private fail(problem: string, offset?: number, key?: string): CheckpointError {
    return new CheckpointError(problem, "the zip file is damaged or was cut short: copy or download it again", {
      file: this.source.name,
      offset,
      key,
    });
  }

  /** A range of the file, if there is one. */
  private async range(offset: number, length: number, what: string): Promise<DataView> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.source.size)) {
      throw this.fail(`${what} would be ${length} bytes in a file of ${this.source.size}`, offset);
    }
    return viewOf(await this.source.read(offset, length));
  }

  /** Where the directory lies, and how many entries it has. */
  private async findDirectory(): Promise<{ offset: number; size: number; count: number }> {
    const { size } = this.source;
    const from = Math.max(0, size - TAIL);
    const tail = await this.range(from, size - from, "the end of the zip file");
    let at = tail.byteLength - 22;
    while (
      at >= 0 &&
      !(tail.getUint32(at, true) === END && at + 22 + tail.getUint16(at + 20, true) === tail.byteLength)
    )
      at--;
    if (at < 0) throw this.fail("the zip file has no end record", size);
    let end = from + at;
    let count = tail.getUint16(at + 10, true);
    let bytes = tail.getUint32(at + 12, true);
    let offset = tail.getUint32(at + 16, true);
    if (at >= 20 && tail.getUint32(at - 20, true) === LOCATOR64) {
      end = u64(tail, at - 12);
      const record = await this.range(end, 56, "the 64-bit end record");
      if (record.getUint32(0, true) !== END64) throw this.fail("the 64-bit end record is missing", end);
      count = u64(record, 32);
      bytes = u64(record, 40);
      offset = u64(record, 48);
    }
    if (!(offset + bytes <= end))
      throw this.fail(`the directory of ${bytes} bytes reaches beyond its end record`, offset);
    if (bytes > MOST_DIRECTORY || count > bytes / 46)
      throw this.fail(`a directory of ${count} entries in ${bytes} bytes`, offset);
    return { offset, size: bytes, count };
  }

  private async readDirectory(): Promise<void> {
    const { offset, size, count } = await this.findDirectory();
    const view = await this.range(offset, size, "the directory");
    const found: Omit<ZipEntry, "limit">[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      const [entry, next] = this.readEntry(view, at, offset + at);
      at = next;
      found.push(entry);
    }
    const byStart = found.sort((a, b) => a.start - b.start);
    byStart.forEach((entry, i) => {
      const limit = i + 1 < byStart.length ? byStart[i + 1].start : offset;
      // 30 bytes of local header, the name and the content at least
      if (!(entry.start + 30 + entry.name.length + entry.storedSize <= limit))
        throw this.fail("the entry overlaps the next one", entry.start, entry.name);
      if (this.entries.has(entry.name)) throw this.fail("the name is there twice", entry.start, entry.name);
      this.entries.set(entry.name, { ...entry, limit });
    });
  }

  private readEntry(view: DataView, at: number, place: number): [Omit<ZipEntry, "limit">, next: number] {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== DIRECTORY)
      throw this.fail("the directory has no entry here", place);
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    let storedSize = view.getUint32(at + 20, true);
    let size = view.getUint32(at + 24, true);
    let start = view.getUint32(at + 42, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const extraAt = at + 46 + nameLength;
    const next = extraAt + extraLength + view.getUint16(at + 32, true);
    if (next > view.byteLength) throw this.fail("the directory's entry reaches beyond it", place);
    const name = this.nameAt(view, at + 46, nameLength, place);
    for (let extra = extraAt; extra + 4 <= extraAt + extraLength; extra += 4 + view.getUint16(extra + 2, true)) {
      if (view.getUint16(extra, true) !== 1) continue;
      let field = extra + 4;
      const wide = (value: number) => {
        if (value !== MAX32) return value;
        if (field + 8 > extra + 4 + view.getUint16(extra + 2, true) || field + 8 > extraAt + extraLength)
          throw this.fail("a 64-bit size is missing", place, name);
        field += 8;
        return u64(view, field - 8);
      };
      size = wide(size);
      storedSize = wide(storedSize);
      start = wide(start);
      break;
    }
    if (flags & 1) throw this.fail("the entry is encrypted", place, name);
    if (method !== 0 && method !== 8) throw this.fail(`the entry is compressed by method ${method}`, place, name);
    if (method === 0 && size !== storedSize)
      throw this.fail(`a stored entry of ${storedSize} bytes says ${size}`, place, name);
    return [{ name, compressed: method === 8, storedSize, size, crc: crc || undefined, start }, next];
  }

  /** A name that stays inside: nothing is unpacked to disk here, but who does so later will trust it. */
  private nameAt(view: DataView, at: number, length: number, place: number): string {
    let name: string;
    try {
      name = utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
    } catch {
      throw this.fail("an entry's name is no UTF-8", place);
    }
    if (/^$|^\/|^[A-Za-z]:|\\|\0|(^|\/)\.\.(\/|$)/.test(name))
      throw this.fail("an entry's name leads out of the archive", place, name);
    return name;
  }

  /** Where an entry's content begins. @throws CheckpointError if its local header is damaged, or it does not inflate to what it says */
  async content(entry: ZipEntry): Promise<ZipContent> {
    const { start, name } = entry;
    const header = await this.range(start, 30, "a local header");
    if (header.getUint32(0, true) !== LOCAL) throw this.fail("the entry has no local header", start, name);
    const offset = start + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (offset + entry.storedSize > entry.limit) throw this.fail("the entry overlaps the next one", start, name);
    if (!entry.compressed) return { source: this.source, offset };
    this.inflated += entry.size;
    if (this.inflated > MOST_INFLATION * this.source.size) {
      throw this.fail(
        `a zip bomb: ${entry.size} bytes are to come from ${entry.storedSize}, more than ${MOST_INFLATION} times the file in all`,
        start,
        name,
      );
    }
    const bytes = await this.inflate(await this.source.read(offset, entry.storedSize), entry);
    return { source: bytesSource(bytes, this.source.name), offset: 0 };
  }

  private async inflate(deflated: Uint8Array, { size, start, name }: ZipEntry): Promise<Uint8Array> {
    const out = new Uint8Array(size);
    let at = 0;
    const stream = new Blob([deflated as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    const reader = stream.getReader();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        if (at + part.value.length > size) {
          await reader.cancel();
          throw this.fail(`the entry inflates to more than the ${size} bytes it says`, start, name);
        }
        out.set(part.value, at);
        at += part.value.length;
      }
    } catch (error) {
      if (error instanceof CheckpointError) throw error;
      throw this.fail(`the entry does not inflate (${(error as Error).message})`, start, name);
    }
    if (at !== size) throw this.fail(`the entry inflates to ${at} bytes and says ${size}`, start, name);
    return out;
  }
}
