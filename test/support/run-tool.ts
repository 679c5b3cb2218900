import { spawnSync } from 'node:child_process';

const toolMs = 20_000;

/** Runs a program of the system to its end; what it wrote. Throws with its words when it fails. */
export function runTool([program, ...args]: [string, ...string[]]): string {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: toolMs,
    env,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  return stdout;
}
