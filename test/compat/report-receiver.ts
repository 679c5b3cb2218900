import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

/** The official client's own verifier, which has no types. */
const { verify, SIGNATURE_HEADER_NAME } = createRequire(import.meta.url)(
  'messagebird/lib/webhook-signature-jwt.js',
) as {
  verify(url: string, body: Buffer | null, token: string, key: object): Promise<boolean>;
  SIGNATURE_HEADER_NAME: string;
};

export interface ReportReceiver {
  url: string;
  /** The queries of reports that the official verifier took, in the order in which they came. */
  taken: Record<string, string>[];
  /** Requests that it did not take, which were refused. */
  forged: number;
  signingKey: string;
  close(): Promise<void>;
}

/** A receiver of status reports as its owner would write it, with the official client's verifier. */
export async function startReportReceiver(signingKey: string): Promise<ReportReceiver> {
  const server = createServer(async (request, response) => {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}${request.url}`;
    const token = request.headers[SIGNATURE_HEADER_NAME] as string;
    const key = createSecretKey(Buffer.from(receiver.signingKey));
    const isGenuine = request.method === 'GET' && (await verify(url, null, token, key).catch(() => false));
    if (isGenuine) receiver.taken.push(Object.fromEntries(new URL(url).searchParams));
    else receiver.forged += 1;
    response.writeHead(isGenuine ? 200 : 401).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: ReportReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/reports?shop=1`,
    taken: [],
    forged: 0,
    signingKey,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
