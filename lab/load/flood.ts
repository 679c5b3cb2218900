import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { builtMain } from '../../test/support/start-process.ts';
import { adminKey, routeName } from './millrace.ts';
import { toOf } from './steady-writer.ts';

export interface FloodBooks {
  refs: string[];
  /** Whether `send` said that every line is accepted. */
  accepted: boolean;
  /** What it said otherwise. */
  said: string;
}

const sendMs = 120_000;
const saidCharsMax = 2_000;

/** A file of messages, sent by `millrace send` as a customer would. */
export class Flood {
  readonly done: Promise<FloodBooks>;
  #child: ChildProcess | undefined;

  constructor(options: { url: string; prefix: string; directory: string; messages: number }) {
    this.done = this.#send(options);
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  async #send(options: {
    url: string;
    prefix: string;
    directory: string;
    messages: number;
  }): Promise<FloodBooks> {
    const { url, prefix, directory, messages } = options;
    const file = join(directory, `${prefix}.ndjson`);
    const refs = await writeFlood(file, prefix, messages);
    const child = spawn(
      process.execPath,
      [builtMain(), 'send', file, '--route', routeName, '--json', '--again'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: sendMs,
        env: { PATH: process.env.PATH, HOME: directory, MILLRACE_URL: url, MILLRACE_KEY: adminKey },
      },
    );
    this.#child = child;
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => {
      out = (out + bytes).slice(-saidCharsMax);
    });
    child.stderr.on('data', (bytes: Buffer) => {
      err = (err + bytes).slice(-saidCharsMax);
    });
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { refs, accepted: status === 0 && acceptedOf(out) === messages, said: `${out}${err}`.trim() };
  }
}

async function writeFlood(file: string, prefix: string, messages: number): Promise<string[]> {
  const refs = Array.from({ length: messages }, (_, n) => `${prefix}-flood-${n}`);
  const out = createWriteStream(file);
  refs.forEach((ref, n) => {
    out.write(`${JSON.stringify({ to: toOf(n), body: `Your parcel ${n} is on its way`, ref })}\n`);
  });
  out.end();
  await finished(out);
  return refs;
}

function acceptedOf(text: string): number | undefined {
  try {
    const { accepted, counts } = JSON.parse(text) as { accepted?: number; counts?: { accepted: number } };
    return accepted ?? counts?.accepted;
  } catch {
    return undefined;
  }
}
