/**
 * Threads run JavaScript as built, also in tests; where the sources are run by tsx they run TypeScript, for which tsx must be
 * registered on the thread itself: Node 20 does not hand the loader of `--import` to a thread's first module.
 */
export function threadEntry(script: URL): URL {
  if (!script.pathname.endsWith('.ts')) return script;
  const loader = import.meta.resolve('tsx/esm/api');
  const code = `import { register } from '${loader}'; register(); await import('${script.href}');`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}
