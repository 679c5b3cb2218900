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
  /** How often `send` was run: it gives up when the database is away for long. */
  runs: number;
  /** What the last run said. */
  said: string;
}

const sendMs = 120_000;
/** A customer runs it again, for as long as any of the outages here lasts. */
const runsMax = 6;
const saidCharsMax = 2_000;

/** A file of messages, sent by `millrace send` as a customer would: run again when it gave up, it goes on where it was. */
export class Flood {
  readonly done: Promise<FloodBooks>;
  #child: ChildProcess | undefined;
  #abandoned = false;

  constructor(options: { url: string; prefix: string; directory: string; messages: number }) {
    this.done = this.#send(options);
  }

  abandon(): void {
    this.#abandoned = true;
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
    for (let run = 1; ; run++) {
      const { status, said } = await this.#runSend({ url, directory, file });
      if (status === 0) return { refs, accepted: acceptedOf(said) === messages, runs: run, said };
      if (run === runsMax || this.#abandoned) return { refs, accepted: false, runs: run, said };
    }
  }

  async #runSend(options: {
    url: string;
    directory: string;
    file: string;
  }): Promise<{ status: number | null; said: string }> {
    const { url, directory, file } = options;
    const child = spawn(process.execPath, [builtMain(), 'send', file, '--route', routeName, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: sendMs,
      env: { PATH: process.env.PATH, HOME: directory, MILLRACE_URL: url, MILLRACE_KEY: adminKey },
    });
    this.#child = child;
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => {
      out = (out + bytes).slice(-saidCharsMax);
    });
    child.stderr.on('data', (bytes: Buffer) => {
      err = (err + bytes).slice(-saidCharsMax);
    });
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, said: status === 0 ? out : `${out}${err}`.trim() };
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
