import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';

/**
 * `tsx scripts/on-node.ts VERSION COMMAND…` runs a command with another Node.js first in its PATH, such as
 * `24 npx vitest run src`. A version is any that npm understands: `22`, `20.19.0`. It comes from the package
 * `node-<platform>-<architecture>`, which is nothing but the program, and is kept under `node_modules/.cache`.
 */
async function runOnNode(version: string, command: readonly string[]): Promise<number> {
  const prefix = join(import.meta.dirname, '../node_modules/.cache/on-node', version);
  const name = `node-${process.platform}-${process.arch}`;
  const kept = ['--prefix', prefix, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  const installed = await run(['npm', 'install', '--silent', ...kept, `${name}@${version}`], process.env);
  if (installed !== 0) return installed;
  const programs = join(prefix, 'node_modules', name, 'bin');
  const env = { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH}` };
  await run(['node', '--version'], env);
  return await run(command, env);
}

async function run([program, ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program!, args, { stdio: 'inherit', env });
  const [status] = (await once(child, 'close')) as [number | null];
  return status ?? 1;
}

const [version, ...command] = process.argv.slice(2);
if (version === undefined || command.length === 0) throw new Error('name a version of Node and a command');
process.exitCode = await runOnNode(version, command);
