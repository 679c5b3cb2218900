import { type DeliveryHost, type DeliveryHostSettings, startDelivery } from './delivery-host.ts';
import type { FromDelivery, ToDelivery } from './delivery-protocol.ts';

/** The end of the IPC channel that a further process of a server has: `process` itself. */
export interface ServerChannel {
  readonly connected: boolean;
  send?(message: FromDelivery, onSent: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: ToDelivery) => void): unknown;
}

/** Reports on their way through the channel; a server that is suspended does not read them. */
const reportsUnderWayMax = 10;

/** Delivers for the server that started this process: follows its hints, and reports to it. */
export async function serveDeliveries(
  settings: Omit<DeliveryHostSettings, 'onReport'>,
  server: ServerChannel,
): Promise<DeliveryHost> {
  let underWay = 0;
  const send = (message: FromDelivery) => {
    // Its figures then lack what these reports count; deliveries go on.
    if (!server.connected || underWay >= reportsUnderWayMax) return;
    underWay++;
    server.send?.(message, () => underWay--);
  };
  const host = await startDelivery({ ...settings, onReport: send });
  server.on('message', (message) => {
    if (message.kind === 'hints') host.push(message.hints);
    else if (message.kind === 'released') host.released(message.batch);
    else if (message.kind === 'remove') host.remove(message.workerId);
  });
  send({ kind: 'started' });
  return host;
}
