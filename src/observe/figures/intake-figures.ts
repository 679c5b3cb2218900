import { Counter, Gauge, type Registry } from 'prom-client';
import type { CappedLabels } from './capped-labels.ts';

export interface IntakeFigures {
  messagesAccepted(event: { priority: 'interactive' | 'bulk'; route: string; count: number }): void;
  linesRejected(count: number): void;
  /** So many messages of requests, or uploads, were refused for this reason. */
  intakeRefused(event: { reason: string; count: number }): void;
  uploadBytesRead(count: number): void;
  /** Asks it at each look: the slots a second that uploads are held to, or undefined while nothing holds them. */
  readUploadPace(read: () => number | undefined): void;
  /** Asks it at each look: single messages that wait for their commit. */
  readIntakeBacklog(read: () => { messages: number; oldestMs: number }): void;
}

export function intakeFigures(
  registry: Registry,
  { routeLabels }: { routeLabels: CappedLabels },
): IntakeFigures {
  const registers = [registry];
  const accepted = new Counter({
    name: 'millrace_messages_accepted_total',
    help: 'Messages made durable',
    labelNames: ['route', 'priority'] as const,
    registers,
  });
  const rejected = new Counter({
    name: 'millrace_lines_rejected_total',
    help: 'Lines refused for their syntax or shape',
    registers,
  });
  const refused = new Counter({
    name: 'millrace_intake_refused_total',
    help: 'Messages of requests, and uploads, that an account may not send or that have to wait, by reason',
    labelNames: ['reason'] as const,
    registers,
  });
  const uploaded = new Counter({
    name: 'millrace_upload_bytes_total',
    help: 'Bytes of uploads read, decompressed',
    registers,
  });
  return {
    messagesAccepted({ priority, route, count }) {
      accepted.inc({ route: routeLabels.of(route), priority }, count);
    },
    linesRejected: (count) => rejected.inc(count),
    intakeRefused: ({ reason, count }) => refused.inc({ reason }, count),
    uploadBytesRead: (count) => uploaded.inc(count),
    ...presentIntake(registry),
  };
}

function presentIntake(registry: Registry): Pick<IntakeFigures, 'readUploadPace' | 'readIntakeBacklog'> {
  const registers = [registry];
  let uploadPace: () => number | undefined = () => undefined;
  let backlog = () => ({ messages: 0, oldestMs: 0 });
  new Gauge({
    name: 'millrace_upload_pace_slots_per_second',
    help: 'What uploads are held to while single messages come in, in slots of 1,000 lines; 0 while nothing holds them',
    registers,
    collect() {
      this.set(uploadPace() ?? 0);
    },
  });
  new Gauge({
    name: 'millrace_intake_waiting_messages',
    help: 'Single messages of requests that wait for their commit',
    registers,
    collect() {
      this.set(backlog().messages);
    },
  });
  new Gauge({
    name: 'millrace_intake_waiting_seconds',
    help: 'For how long the oldest of them has waited',
    registers,
    collect() {
      this.set(backlog().oldestMs / 1_000);
    },
  });
  return {
    readUploadPace(read) {
      uploadPace = read;
    },
    readIntakeBacklog(read) {
      backlog = read;
    },
  };
}
