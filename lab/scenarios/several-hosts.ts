import { primaryNetworkCut } from './primary-network-cut.ts';
import type { Scenario } from './scenario.ts';
import { switchover } from './switchover.ts';

/** The former primary says that it takes writes no more. */
export const severalHostsSwitchover: Scenario = {
  ...switchover,
  name: 'several-hosts-switchover',
  title: 'a switchover, without HAProxy: Millrace has all nodes in its URL',
  way: 'several-hosts',
};

/** The former primary is silent, and no balancer tells which one is the new. */
export const severalHostsNetworkCut: Scenario = {
  ...primaryNetworkCut,
  name: 'several-hosts-network-cut',
  title: 'the network of the primary is cut, and Millrace has no HAProxy',
  way: 'several-hosts',
};
