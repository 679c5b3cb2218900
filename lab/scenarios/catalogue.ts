import { asynchronousPowerLost } from './asynchronous-power-lost.ts';
import { etcdMajorityLost } from './etcd-majority-lost.ts';
import { patroniKilled } from './patroni-killed.ts';
import { postmasterKilled } from './postmaster-killed.ts';
import { primaryAndReplicaCut } from './primary-and-replica-cut.ts';
import { primaryNetworkCut } from './primary-network-cut.ts';
import { primaryPowerLost } from './primary-power-lost.ts';
import { processorSaturated } from './processor-saturated.ts';
import { replicaNetworkCut } from './replica-network-cut.ts';
import type { Scenario } from './scenario.ts';
import { scheduledSwitchover } from './scheduled-switchover.ts';
import { severalHostsNetworkCut, severalHostsSwitchover } from './several-hosts.ts';
import { switchover } from './switchover.ts';

/** In the order in which they run on one cluster; the one that loses messages comes last. */
export const scenarios: readonly Scenario[] = [
  switchover,
  scheduledSwitchover,
  replicaNetworkCut,
  primaryNetworkCut,
  primaryAndReplicaCut,
  primaryPowerLost,
  postmasterKilled,
  patroniKilled,
  processorSaturated,
  etcdMajorityLost,
  severalHostsSwitchover,
  severalHostsNetworkCut,
  asynchronousPowerLost,
];
