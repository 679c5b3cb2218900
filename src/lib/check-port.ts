import { createServer } from 'node:net';

/** Rejects with the error of the system when nobody could listen there now. */
export async function checkPort({ port, host }: { port: number; host: string }): Promise<void> {
  const probe = createServer();
  await new Promise<void>((listening, failed) => {
    probe.once('error', failed);
    probe.listen(port, host, listening);
  });
  await new Promise((closed) => probe.close(closed));
}
