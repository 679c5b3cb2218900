import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../message/error-codes.ts';

/** Sixteen million messages of 128 bytes; compressed, several times as many. */
const keptBytesMax = 2_147_483_648;

/** Of all requests of a process together. */
const keptTotalMax = 4 * keptBytesMax;

const readBytes = 262_144;

/** The body of a request, kept on disk as it comes, to be read once more. Its file loses its name at once: however the process ends, nothing of it is left. */
export class KeptBody {
  static #total = 0;
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws ProblemError `unavailable` where no file can be made in the directory */
  static async open(directory: string): Promise<KeptBody> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const path = join(directory, randomUUID());
      const file = await open(path, 'wx+', 0o600);
      await unlink(path);
      return new KeptBody(file);
    } catch (error) {
      throw notKept(error);
    }
  }

  /** @throws ProblemError `payload_too_large`, `unavailable` where the disk does not take it */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#size + bytes.length > keptBytesMax) {
      const detail = `With atomic=true a body may have ${keptBytesMax} bytes as it is sent: compress it, cut it into several, or send it without atomic.`;
      throw new ProblemError('payload_too_large', detail);
    }
    if (KeptBody.#total + bytes.length > keptTotalMax) {
      const detail =
        'The bodies with atomic=true that are under way take all the room that they may: send it again later.';
      throw new ProblemError('unavailable', detail, { retryAfterSeconds: 5 });
    }
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#size + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw notKept(error);
    }
    this.#size += bytes.length;
    KeptBody.#total += bytes.length;
  }

  async *read(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.#size; ) {
      const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, at);
      if (bytesRead === 0) throw new Error(`a kept body ends after ${at} of ${this.#size} bytes`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async close(): Promise<void> {
    KeptBody.#total -= this.#size;
    this.#size = 0;
    await this.#file.close();
  }
}

function notKept(error: unknown): ProblemError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  const detail = `The server could not keep the body until it was judged (${code} in its data directory): send it again later, or without atomic=true.`;
  return new ProblemError('unavailable', detail, { retryAfterSeconds: 5 });
}
