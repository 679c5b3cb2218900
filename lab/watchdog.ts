import { existsSync } from 'node:fs';
import { holdersOf } from './verify.ts';

const usualDevices = ['/dev/watchdog', '/dev/watchdog0'];

/** The device to use, and what to say about it. */
export function chooseWatchdog(asked: string | undefined): { device: string | undefined; said: string } {
  if (asked !== undefined) return { device: asked, said: `${asked} is configured` };
  const found = usualDevices.find((device) => existsSync(device));
  if (found === undefined) {
    return {
      device: undefined,
      said: 'this machine has no device, so a node whose Patroni is killed stays a primary that nobody reaches through HAProxy',
    };
  }
  // The nodes are namespaces: a device does not tell them apart.
  return {
    device: undefined,
    said: `${found} is there and not used, as it restarts this whole machine, not a node (--watchdog ${found} uses it)`,
  };
}

/** Whether Patroni opened the device that it was given: its leader does, if it can. In words; a failure where it did not. */
export function lookAtWatchdog(device: string): { armed: boolean; said: string } {
  const [pid] = holdersOf(device);
  if (pid === undefined)
    return { armed: false, said: `${device} is configured, and no process has it open: nobody armed it` };
  return { armed: true, said: `${device} is configured, and process ${pid} has it open` };
}
