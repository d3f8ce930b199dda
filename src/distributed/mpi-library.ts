import type { DType } from "../tensor/dtype.ts";
import { EnvironmentError } from "../util/errors.ts";

/** How MPI's calls are reached: what this library needs of koffi. */
export interface Koffi {
  load(path: string, options?: { global?: boolean }): Library;
  address(value: ArrayBufferView | ArrayBufferLike): bigint | number;
}

interface Library {
  func(name: string, result: string, args: readonly string[]): (...args: unknown[]) => number;
  symbol(name: string): bigint | number;
}

/** An MPI implementation. Their calls have the same names; handles and a few constants differ. */
interface Implementation {
  readonly name: "Open MPI" | "MPICH";
  /** names of the library, as the system's loader knows them, and where package managers put it */
  readonly libraries: readonly string[];
  /** C type of handles: addresses, or numbers */
  readonly handle: "uintptr_t" | "int";
  readonly inPlace: number;
  readonly statusIgnore: number;
  readonly install: string;
  /** variables that have to be set, unless they are, before its library is loaded */
  readonly environment: Readonly<Record<string, string>>;
  handles(library: Library): Handles;
}

/** The communicator of all ranks, and the names of datatypes and operations. */
export interface Handles {
  readonly world: number;
  readonly bytes: number;
  readonly types: Partial<Record<DType, number>>;
  readonly ops: Readonly<Record<"sum" | "max" | "min", number>>;
}

const OPEN_MPI: Implementation = {
  name: "Open MPI",
  libraries: ["libmpi.so.40", "libmpi.40.dylib", "/opt/homebrew/lib/libmpi.40.dylib", "/usr/local/lib/libmpi.40.dylib"],
  handle: "uintptr_t",
  inPlace: 1,
  statusIgnore: 0,
  install: "apt-get install openmpi-bin libopenmpi3, dnf install openmpi, or brew install open-mpi",
  environment: {},
  handles(library) {
    // Its handles are addresses of structures in the library.
    const at = (name: string) => Number(library.symbol(`ompi_mpi_${name}`));
    return {
      world: at("comm_world"),
      bytes: at("byte"),
      types: {
        float32: at("float"),
        float64: at("double"),
        int32: at("int32_t"),
        int64: at("int64_t"),
        uint8: at("uint8_t"),
      },
      ops: { sum: at("op_sum"), max: at("op_max"), min: at("op_min") },
    };
  },
};

const MPICH: Implementation = {
  name: "MPICH",
  libraries: ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib", "/opt/homebrew/lib/libmpi.12.dylib"],
  handle: "int",
  inPlace: -1,
  statusIgnore: 1,
  install: "apt-get install mpich, dnf install mpich, or brew install mpich",
  // Its transport UCX rewrites the first instructions of mmap, munmap and madvise, which V8's threads call meanwhile, and takes the signal that V8 catches WebAssembly's
  // traps with: 4 of 32 jobs of three ranks ended by a segmentation fault, none of 26 without.
  environment: { UCX_MEM_EVENTS: "n", UCX_ERROR_SIGNALS: "" },
  // Numbers of its binary interface, the same since MPICH 3.1 and in Intel MPI and MVAPICH2.
  handles: () => ({
    world: 0x44000000,
    bytes: 0x4c00010d,
    types: { float32: 0x4c00040a, float64: 0x4c00080b, int32: 0x4c000405, int64: 0x4c000809, uint8: 0x4c000102 },
    ops: { sum: 0x58000003, max: 0x58000001, min: 0x58000002 },
  }),
};

/** The calls that are used. Addresses are numbers; all return 0, since MPI ends the job at an error. */
export interface MpiCalls {
  initThread(argc: null, argv: null, level: number, provided: number): number;
  finalize(): number;
  commRank(comm: number, rank: number): number;
  commSize(comm: number, size: number): number;
  commDup(comm: number, out: number): number;
  allreduce(send: number, receive: number, count: number, type: number, op: number, comm: number): number;
  iallreduce(send: number, receive: number, count: number, type: number, op: number, comm: number, r: number): number;
  allgather(s: number, sc: number, st: number, r: number, rc: number, rt: number, comm: number): number;
  bcast(buffer: number, count: number, type: number, root: number, comm: number): number;
  ibarrier(comm: number, request: number): number;
  test(request: number, flag: number, status: number): number;
  wait(request: number, status: number): number;
}

/** An MPI library that has been loaded. */
export interface MpiLibrary extends Handles {
  readonly name: string;
  readonly inPlace: number;
  readonly statusIgnore: number;
  /** bytes of a handle in memory */
  readonly handleBytes: 4 | 8;
  readonly calls: MpiCalls;
}

/** What the launcher of this process tells: whose it is, and how many ranks it started on this computer. */
interface Launch {
  readonly implementation: Implementation;
  readonly localSize: number;
}

/** Read from the environment; null where no launcher started this process. */
export function launchedBy(environment: Readonly<Record<string, string | undefined>>): Launch | null {
  const { OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_SIZE, PMI_SIZE, PMIX_RANK, MPI_LOCALNRANKS } = environment;
  if (OMPI_COMM_WORLD_SIZE) return { implementation: OPEN_MPI, localSize: Number(OMPI_COMM_WORLD_LOCAL_SIZE ?? 1) };
  if (PMI_SIZE) return { implementation: MPICH, localSize: Number(MPI_LOCALNRANKS ?? 1) };
  // srun --mpi=pmix
  if (PMIX_RANK) return { implementation: OPEN_MPI, localSize: 1 };
  return null;
}

/** @throws EnvironmentError that names what to install */
export async function loadKoffi(): Promise<Koffi> {
  try {
    const found = await import("koffi");
    return found.default as unknown as Koffi;
  } catch (error) {
    throw new EnvironmentError(
      `the package koffi, which calls MPI, cannot be loaded (${(error as Error).message.split("\n")[0]})`,
      "npm install koffi",
    );
  }
}

/**
 * Loads an implementation's library: the one that EVENKEEL_MPI_LIBRARY names, or the first that the system's loader finds.
 * @throws EnvironmentError that names what to install
 */
export function loadMpi(koffi: Koffi, implementation: Implementation, path: string | undefined): MpiLibrary {
  const { name, libraries, handle: h, inPlace, statusIgnore, install, environment } = implementation;
  for (const [variable, value] of Object.entries(environment)) process.env[variable] ??= value;
  const [library, why] = firstOf(koffi, path ? [path] : libraries);
  if (!library) {
    throw new EnvironmentError(
      `this process was started by ${name}'s launcher, but its library ${path ?? libraries[0]} cannot be loaded (${why})`,
      `install it (${install}), or set EVENKEEL_MPI_LIBRARY to its path`,
    );
  }
  const call = (suffix: string, ...types: string[]) => library.func(`MPI_${suffix}`, "int", types);
  const p = "uintptr_t";
  const n = "int";
  const calls = {
    initThread: call("Init_thread", "void *", "void *", n, p),
    finalize: call("Finalize"),
    commRank: call("Comm_rank", h, p),
    commSize: call("Comm_size", h, p),
    commDup: call("Comm_dup", h, p),
    allreduce: call("Allreduce", "intptr_t", p, n, h, h, h),
    iallreduce: call("Iallreduce", "intptr_t", p, n, h, h, h, p),
    allgather: call("Allgather", p, n, h, p, n, h, h),
    bcast: call("Bcast", p, n, h, n, h),
    ibarrier: call("Ibarrier", h, p),
    test: call("Test", p, p, p),
    wait: call("Wait", p, p),
  };
  const handleBytes = h === "int" ? 4 : 8;
  return { name, inPlace, statusIgnore, handleBytes, calls, ...implementation.handles(library) };
}

/** Loaded for all to see: Open MPI's own plug-ins look their symbols up in it. */
function firstOf(koffi: Koffi, paths: readonly string[]): [Library | null, string] {
  let first = "";
  for (const path of paths) {
    try {
      return [koffi.load(path, { global: true }), ""];
    } catch (error) {
      first ||= (error as Error).message;
    }
  }
  return [null, first];
}
