import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { F, Generator, io, models, nn, noGrad, randn, type Tensor } from "../../src/index.ts";
import { runOnnx } from "../io/onnx/run.ts";
import { fillState } from "../models/fill-state.ts";
import { relativeError } from "../nn/compare.ts";
import { evenkeel } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-cli-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const model = models.resnet20();
const image = randn([2, 3, 32, 32], { generator: new Generator(1) });

beforeAll(async () => {
  fillState(model, new Generator(3), -0.5);
  noGrad(() => {
    for (const [key, value] of model.stateDict()) if (key.endsWith("num_batches_tracked")) value.fill_(900);
  });
  const state = model.stateDict();
  await io.save(at("net.pth"), state);
  const wrapped = new Map([...state].map(([key, value]) => [`module.${key}`, value]));
  const optimizer = { state: { 0: { exp_avg: randn([3]) } }, param_groups: [{ lr: 0.1 }] };
  await io.save(at("trainer.pt"), { epoch: 3, optimizer, state_dict: wrapped, ema: state });
  const hurt = new Map([...state].map(([key, value]) => [key, value.clone()]));
  noGrad(() => {
    hurt.get("bn1.running_mean")!.narrow(0, 0, 2).fill_(Number.NaN);
    hurt.get("layer1.0.bn1.weight")!.narrow(0, 0, 3).fill_(0);
  });
  await io.save(at("hurt.pth"), hurt);
  writeFileSync(at("cut.pth"), readFileSync(at("net.pth")).subarray(0, 5000));
});

test("help has examples and exit codes everywhere", () => {
  const { code, out } = evenkeel(["--help"]);
  expect(code).toBe(0);
  for (const command of ["inspect", "compare", "convert", "fold", "export"]) {
    expect(out).toContain(`\n  ${command} `);
    const help = evenkeel([command, "--help"]);
    expect(help.code).toBe(0);
    expect(help.out).toMatch(/\nExamples:\n {2}evenkeel /);
    expect(Math.max(...help.out.split("\n").map((line) => line.length)), command).toBeLessThanOrEqual(100);
  }
});

describe("inspect", () => {
  test("shows layers and findings, in 80 columns, without colours where there is no terminal", () => {
    const { code, out, err } = evenkeel(["inspect", at("hurt.pth")]);
    expect(code).toBe(1);
    expect(err).toBe("");
    expect(out).toContain("hurt.pth: PyTorch");
    expect(out).toMatch(/^✗ {2}bn1 +16 /m);
    expect(out).toMatch(/^! {2}layer1\.0\.bn1 /m);
    expect(out).toContain("1 error, 1 warning\n");
    expect(out).toContain("bn1: 2 of 64 values are NaN or infinite, in running_mean");
    expect(out).toContain("3 of 16 channels have |γ| below");
    expect(
      Math.max(
        ...out
          .split("\n")
          .slice(1)
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
    expect(out).not.toContain("\x1b[");
    expect(evenkeel(["inspect", at("hurt.pth")], { FORCE_COLOR: "1" }).out).toContain("\x1b[");
    expect(evenkeel(["inspect", at("hurt.pth")], { FORCE_COLOR: "1", NO_COLOR: "1" }).out).not.toContain("\x1b[");
  });

  test("finds what trainers nest and wrap, and says so", () => {
    const { code, out } = evenkeel(["inspect", at("trainer.pt")]);
    expect(code).toBe(0);
    expect(out).toContain('the state dict is the file\'s "state_dict"');
    expect(out).toContain('every key began with "module."');
    expect(out).toContain("more tensors at ema");
    expect(out).toContain("Nothing stands out.");
    expect(evenkeel(["inspect", at("trainer.pt"), "--key", "ema"]).out).not.toContain("module.");
    const none = evenkeel(["inspect", at("trainer.pt"), "--key", "nothing"]);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('no tensors at "nothing"')]);
  });

  test("JSON is JSON, and --fail-on decides the exit code", () => {
    const { code, out } = evenkeel(["inspect", at("hurt.pth"), "--json", "--fail-on", "never"]);
    const { layers, findings } = JSON.parse(out);
    expect([code, layers.length, findings.length]).toEqual([0, 21, 2]);
    expect(layers[0].runningMean.nonFinite).toBe(2);
    expect(evenkeel(["inspect", at("net.pth"), "--fail-on", "note"]).code).toBe(0);
  });

  test("the page needs nothing else, and has a picture of every distribution", () => {
    const { out } = evenkeel(["inspect", at("hurt.pth"), "--html", at("report.html")]);
    expect(out).toContain("1 error");
    const page = readFileSync(at("report.html"), "utf8");
    expect(page.match(/<svg/g)).toHaveLength(4 + 4 * 21);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/https?:(?!\/\/www\.w3\.org\/)/);
    expect(page).toContain('id="layer-bn1"');
  });
});

describe("convert and compare", () => {
  test("there and back the same tensors in the same order", async () => {
    const there = evenkeel(["convert", at("net.pth"), at("net.safetensors")]);
    expect([there.code, there.err]).toEqual([0, ""]);
    const back = evenkeel(["convert", at("net.safetensors"), at("back.pt")]);
    expect([back.code, back.err]).toEqual([0, ""]);
    const [a, b] = [await io.load(at("net.pth")), await io.load(at("back.pt"))];
    expect([...b.keys()]).toEqual([...a.keys()]);
    expect(b.metadata).toEqual(a.metadata);
    const { code, out } = evenkeel(["compare", at("back.pt"), at("net.pth")]);
    expect([code, out]).toEqual([0, `The same ${a.size} tensors\n`]);
  });

  test("a trainer's file keeps all of it as PyTorch's, its tensors as safetensors", async () => {
    expect(evenkeel(["convert", at("trainer.pt"), at("again.pt")]).code).toBe(0);
    expect(await io.load<{ epoch: number }>(at("again.pt"))).toMatchObject({ epoch: 3 });
    const { code, err } = evenkeel(["convert", at("trainer.pt"), at("trainer.safetensors")]);
    expect(code).toBe(0);
    expect(err).toContain("whatever is no tensor of the state dict was left out");
    expect((await io.load(at("trainer.safetensors"))).has("conv1.weight")).toBe(true);
  });

  test("dtypes change what they should, and tolerance says what counts", async () => {
    expect(evenkeel(["convert", at("net.pth"), at("half.safetensors"), "--dtype", "float16"]).code).toBe(0);
    const half = await io.load(at("half.safetensors"));
    expect([half.get("conv1.weight")?.dtype, half.get("bn1.num_batches_tracked")?.dtype]).toEqual(["float16", "int64"]);
    const exact = evenkeel(["compare", at("half.safetensors"), at("net.pth")]);
    expect(exact.code).toBe(1);
    expect(exact.out).toContain("float16, in b float32");
    expect(evenkeel(["compare", at("half.safetensors"), at("net.pth"), "--tolerance", "1e-3"]).code).toBe(0);
  });

  test("differences are counted in tensors, values and last bits", async () => {
    const state = new Map([...model.stateDict()].map(([key, value]): [string, Tensor] => [key, value.clone()]));
    const weight = state.get("fc.weight")!;
    const first = weight.at(0, 0).item();
    noGrad(() => weight.at(0, 0).fill_(first + 2 ** (Math.floor(Math.log2(Math.abs(first))) - 22)));
    state.delete("fc.bias");
    state.set("conv1.weight", state.get("conv1.weight")!.narrow(0, 0, 8).clone());
    state.set("more", randn([2]));
    await io.save(at("other.pt"), state);
    const { code, out } = evenkeel(["compare", at("other.pt"), at("net.pth"), "--json"]);
    expect(code).toBe(1);
    const { differences, equal } = JSON.parse(out);
    expect(equal).toBe(false);
    expect(differences.map(({ key, kind }: { key: string; kind: string }) => `${key} ${kind}`)).toEqual([
      "conv1.weight shape",
      "fc.weight values",
      "more extra",
      "fc.bias missing",
    ]);
    expect(differences[1].distance).toMatchObject({ count: 1, maxUlp: 2 });
    expect(evenkeel(["compare", at("other.pt"), at("net.pth")]).out).toContain("4 tensors of");
  });
});

describe("fold and export", () => {
  test("a known network: keys as without batch norms, outputs as before", async () => {
    const { code, out } = evenkeel(["fold", at("trainer.pt"), at("folded.safetensors")]);
    expect(code).toBe(0);
    expect(out).toMatch(/resnet20, 21 batch norms folded; outputs change by \d\.\de-\d/);
    const folded = await io.load(at("folded.safetensors"));
    const rest = [...model.stateDict().keys()].filter((key) => !/bn\d\.|downsample\.1\./.test(key));
    expect([...folded.keys()].filter((key) => !key.endsWith(".bias") || key === "fc.bias")).toEqual(rest);
    model.eval();
    const first = F.conv2d(image, folded.get("conv1.weight")!, { bias: folded.get("conv1.bias"), padding: 1 });
    const expected = noGrad(() => model.bn1.forward(model.conv1.forward(image)) as Tensor);
    expect(relativeError(first.toTypedArray(), expected.toTypedArray())).toBeLessThanOrEqual(1e-5);
  });

  test("by names the same, and a network of another kind is refused without", async () => {
    expect(evenkeel(["fold", at("net.pth"), at("named.safetensors"), "--by-names"]).code).toBe(0);
    const { code } = evenkeel(["compare", at("named.safetensors"), at("folded.safetensors"), "--tolerance", "1e-6"]);
    expect(code).toBe(0);
    const own = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.ReLU(), new nn.BatchNorm1d(4));
    await io.save(at("own.pt"), own.stateDict());
    const refused = evenkeel(["fold", at("own.pt"), at("own-folded.pt")]);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("--by-names")]);
    expect(evenkeel(["fold", at("own.pt"), at("own-folded.pt"), "--by-names"]).out).toContain("1 left");
    expect([...(await io.load(at("own-folded.pt"))).keys()].slice(0, 3)).toEqual(["0.weight", "0.bias", "3.weight"]);
  });

  test.each([
    ["net.pth", []],
    ["trainer.pt", ["--fold"]],
    ["folded.safetensors", ["--model", "resnet20"]],
  ])("onnxruntime computes what %s %s holds", async (file, flags) => {
    const { code, out } = evenkeel(["export", at(file), at("net.onnx"), ...flags]);
    expect(code).toBe(0);
    expect(out).toContain("input [batch, 3, 32, 32], 10 classes");
    const [{ values }] = await runOnnx(new Uint8Array(readFileSync(at("net.onnx"))), [image]);
    const expected = noGrad(() => model.eval().forward(image));
    expect(relativeError(values, expected.toTypedArray())).toBeLessThanOrEqual(1e-5);
  });
});

describe("what goes wrong", () => {
  test.each<[string, string[], string]>([
    ["no such file", ["inspect", "nowhere.pt"], "nowhere.pt: the file does not exist"],
    ["no checkpoint", ["inspect", "package.json"], "package.json"],
    ["a file cut short", ["inspect", at("cut.pth")], "cut.pth"],
    ["no tensors", ["inspect", at("empty.pt")], "no named tensors"],
    ["an ending that says nothing", ["convert", at("net.pth"), at("net.txt")], "does not say what to write"],
    ["no such folder", ["convert", at("net.pth"), at("no/net.pt")], "does not exist"],
    ["no such network", ["export", at("net.pth"), at("x.onnx"), "--model", "alexnet"], "Allowed choices are resnet18"],
    ["another network", ["export", at("net.pth"), at("x.onnx"), "--model", "resnet18"], "does not fit a resnet18"],
    ["another number of classes", ["export", at("net.pth"), at("x.onnx"), "--num-classes", "7"], "fc.weight [10, 64]"],
    ["sizes that are none", ["export", at("net.pth"), at("x.onnx"), "--input", "3x32"], "1x3x224x224"],
    ["an unknown command", ["inspct"], "unknown command"],
    ["a missing argument", ["compare", "a.pt"], "missing required argument"],
  ])("%s", async (_, args, message) => {
    await io.save(at("empty.pt"), { epoch: 3 });
    const { code, out, err } = evenkeel(args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
    expect(err).not.toMatch(/^\s+at /m);
    expect(existsSync(at("x.onnx"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
