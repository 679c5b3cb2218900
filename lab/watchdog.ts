import { existsSync } from 'node:fs';

const usualDevices = ['/dev/watchdog', '/dev/watchdog0'];

/** The device to use, and what to say about it. */
export function chooseWatchdog(asked: string | undefined): { device: string | undefined; said: string } {
  if (asked !== undefined) return { device: asked, said: `${asked} is used` };
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
