import { execFile } from 'node:child_process';

/** Longer than any of these commands takes on a machine that is busy. */
const commandTimeoutMs = 20_000;
const outputBytesMax = 4 << 20;

/** Runs a command to its end; its standard output, or an error with what it wrote. */
export function runCommand(command: string, args: readonly string[]): Promise<string> {
  const options = { timeout: commandTimeoutMs, maxBuffer: outputBytesMax };
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, out, err) => {
      if (error) reject(new Error(`${command} ${args.join(' ')}: ${err.trim() || error.message}`));
      else resolve(out);
    });
  });
}
