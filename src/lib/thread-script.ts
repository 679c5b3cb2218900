/**
 * The script of a thread: its source beside the module at `url`, or what was built of it beside what was built of the module.
 * A module of its own, for tests have another one in its place.
 */
export function threadScript(name: string, url: string): URL {
  return new URL(`./${name}.${url.endsWith('.ts') ? 'ts' : 'js'}`, url);
}
