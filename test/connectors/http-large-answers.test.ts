import type { Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { closeSenders, openSender, provide, terms } from './open-sender.ts';
import { outgoing } from './outgoing.ts';

const answerBytes = 512 * 1_048_576;
/** What a sender that hangs up has read, with what both ends of a connection buffer: the kernel's limits are some MiB. */
const takenBytesMax = 32 * 1_048_576;
const part = Buffer.alloc(65_536, 'x');

afterEach(closeSenders);

/** Writes the answer as fast as it is read, until it is whole or the sender hangs up. Tells how much was taken. */
async function stream(socket: Socket, of: { status: number; chunked: boolean }): Promise<number> {
  const head = of.chunked ? 'transfer-encoding: chunked' : `content-length: ${answerBytes}`;
  socket.write(`HTTP/1.1 ${of.status} X\r\n${head}\r\n\r\n`);
  const piece = of.chunked ? Buffer.concat([Buffer.from('10000\r\n'), part, Buffer.from('\r\n')]) : part;
  let bytes = 0;
  while (!socket.destroyed && bytes < answerBytes) {
    bytes += part.length;
    if (socket.write(piece)) continue;
    await new Promise<void>((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', () => resolve());
    });
    socket.removeAllListeners('drain');
  }
  return bytes;
}

const tooLarge = { kind: 'uncertain', error: { code: 'response_too_large' } };

it.each<[string, number, object, Record<string, unknown>]>([
  ['200 to one message is sent: its status was there', 200, { kind: 'sent' }, {}],
  ['200 to a batch is uncertain: nobody read its results', 200, tooLarge, { batch: { max: 10 } }],
  ['429 is tried again', 429, { kind: 'retry', error: { code: 'rate_limited' } }, { batch: { max: 10 } }],
  ['400 is rejected', 400, { kind: 'rejected', error: { code: 'provider_rejected' } }, {}],
  ['500 is uncertain', 500, { kind: 'uncertain', error: { code: 'provider_error' } }, {}],
])('a body without end is not read on, and %s', async (_, status, expected, options) => {
  for (const chunked of [false, true]) {
    let taken: Promise<number> | undefined;
    const provider = await provide((socket) => {
      taken = stream(socket, { status, chunked });
    });
    const answers = await openSender({ url: provider.url, ...options }).send(outgoing(1), terms);
    expect(answers).toMatchObject([expected]);
    expect(await taken).toBeLessThan(takenBytesMax);
    expect(provider.requests).toHaveLength(1);
  }
});
