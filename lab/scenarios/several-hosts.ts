import type { Scenario } from './scenario.ts';
import { switchover } from './switchover.ts';

/** The former primary says that it takes writes no more. */
export const severalHostsSwitchover: Scenario = {
  ...switchover,
  name: 'several-hosts-switchover',
  title: 'a switchover, without HAProxy: Millrace has all nodes in its URL',
  way: 'several-hosts',
};
