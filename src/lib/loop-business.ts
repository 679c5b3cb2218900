import { performance } from 'node:perf_hooks';

/**
 * Tells how busy the event loop of the calling thread was since it was asked last, from 0 to 1: the part of the time in which it did not
 * wait for anything to do. A thread that waits for a core counts as busy.
 */
export function loopBusiness(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
