import { availableParallelism } from "node:os";
import { afterEach, describe, expect, it, vi } from "vitest";

/** A fresh copy of the runtime, as if the process had started with this environment. */
async function start(backend: string, simd: string, threads = "1") {
  vi.resetModules();
  vi.stubEnv("EVENKEEL_BACKEND", backend);
  vi.stubEnv("EVENKEEL_SIMD", simd);
  vi.stubEnv("EVENKEEL_THREADS", threads);
  return import("../../src/runtime.ts");
}

afterEach(() => vi.unstubAllEnvs());

describe("the runtime", () => {
  it("chooses what the environment says", async () => {
    expect((await start("reference", "")).runtimeInfo()).toEqual({ backend: "reference", simd: "none", threads: 1 });
    expect((await start("reference", "relaxed")).runtimeInfo().simd).toBe("none");
    expect((await start("wasm", "base")).runtimeInfo()).toEqual({ backend: "wasm", simd: "base", threads: 1 });
    expect((await start("", "base")).runtimeInfo().simd).toBe("base");
    expect((await start("wasm", "relaxed")).runtimeInfo().simd).toBe("relaxed");
  });

  it("chooses the fastest by itself", async () => {
    expect((await start("", "")).runtimeInfo()).toEqual({ backend: "wasm", simd: "relaxed", threads: 1 });
  });

  it("says what the environment got wrong", async () => {
    await expect(start("cuda", "")).rejects.toThrow('EVENKEEL_BACKEND is "cuda": set it to reference or wasm');
    await expect(start("wasm", "avx")).rejects.toThrow('EVENKEEL_SIMD is "avx": set it to base or relaxed');
  });

  it("uses as many threads as it is told to, or as there are processors", async () => {
    expect((await start("wasm", "base", "3")).getNumThreads()).toBe(3);
    const { getNumThreads, runtimeInfo, setBackend, setNumThreads } = await start("wasm", "base", "");
    expect(getNumThreads()).toBe(Math.min(8, availableParallelism()));
    setNumThreads(5);
    expect(runtimeInfo().threads).toBe(5);
    setBackend("reference");
    expect(getNumThreads()).toBe(1);
    expect(() => setNumThreads(0)).toThrow("set_num_threads expects a positive integer: it was given 0");
    expect(() => setNumThreads(1.5)).toThrow("positive integer");
  });

  it("refuses a number of threads that is none", async () => {
    await expect(start("wasm", "base", "two").then((r) => r.getNumThreads())).rejects.toThrow(
      'EVENKEEL_THREADS is "two": set it to a number from 1 to 999, or to nothing',
    );
  });

  it("does without Winograd's algorithm where it is told to", async () => {
    const { getWinograd, setWinograd } = await start("wasm", "base");
    expect(getWinograd()).toBe(true);
    setWinograd(false);
    expect(getWinograd()).toBe(false);
    vi.stubEnv("EVENKEEL_WINOGRAD", "off");
    expect((await start("wasm", "base")).getWinograd()).toBe(false);
    vi.stubEnv("EVENKEEL_WINOGRAD", "yes");
    const runtime = await start("wasm", "base");
    expect(() => runtime.getWinograd()).toThrow('EVENKEEL_WINOGRAD is "yes": set it to on or off, or to nothing');
  });

  it("changes backends while tensors stay valid", async () => {
    const { runtimeInfo, setBackend } = await start("wasm", "base");
    const { backend } = await import("../../src/kernels/registry.ts");
    const { heap } = await import("../../src/kernels/heap.ts");
    const pointer = heap.alloc(8);
    backend().fill("float32", pointer, 2, 3);
    setBackend("reference");
    expect(runtimeInfo().backend).toBe("reference");
    backend().axpy("float32", pointer, pointer, 1, 1);
    setBackend("wasm-relaxed");
    backend().axpy("float32", pointer, pointer, 2, 0.5);
    expect(Array.from(heap.f32.subarray(pointer / 4, pointer / 4 + 2))).toEqual([9, 4.5]);
    expect(() => setBackend("wasm-turbo" as "reference")).toThrow('no backend is called "wasm-turbo"');
  });
});
