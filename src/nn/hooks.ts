/** Called after a module's forward; a returned value replaces the output. */
// biome-ignore lint/suspicious/noExplicitAny: modules take and give whatever they like
export type Hook<M> = (module: M, inputs: any[], output: any) => unknown;

interface Hookable {
  // biome-ignore lint/suspicious/noExplicitAny: see above
  forward(...inputs: any[]): any;
}

// biome-ignore lint/suspicious/noExplicitAny: a module's hooks take that module
type Hooks = Set<{ hook: Hook<any> }>;

const hooksOf = new WeakMap<Hookable, Hooks>();

/** Replaces the module's forward by one that calls its hooks after it. */
function hooked(module: Hookable): Hooks {
  const hooks: Hooks = new Set();
  const { forward } = module;
  const forwardAndHooks = (...inputs: unknown[]) => {
    let output = forward.apply(module, inputs);
    for (const { hook } of hooks) output = hook(module, inputs, output) ?? output;
    return output;
  };
  Object.defineProperty(module, "forward", { value: forwardAndHooks, enumerable: false, configurable: true });
  hooksOf.set(module, hooks);
  return hooks;
}

/** Adds a hook; returns what removes it. */
export function addForwardHook<M extends Hookable>(module: M, hook: Hook<M>): () => void {
  const hooks = hooksOf.get(module) ?? hooked(module);
  // An object of its own, so that a hook registered twice is called twice.
  const entry = { hook };
  hooks.add(entry);
  return () => hooks.delete(entry);
}
