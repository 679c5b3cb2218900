import type { DrainerLog } from '../outbox/drainer.ts';
import type { CommandContext } from './command-context.ts';
import { formatCount } from './format.ts';
import { printNote, printWarning } from './output.ts';

/** Counts of what was moved are told so often at most. */
const progressEveryMs = 10_000;

export interface OutboxLog extends DrainerLog {
  readonly totals: { accepted: number; rejected: number };
  /** Tells what has not been told yet, and no more. */
  stop(): void;
}

/** For people in words on stderr, or for programs as JSON lines on stdout. */
export function outboxLog(context: CommandContext, { json }: { json: boolean }): OutboxLog {
  const tell = json ? jsonLines(context) : words(context);
  const totals = { accepted: 0, rejected: 0 };
  let told = 0;
  let ageMs = 0;
  const progress = () => {
    const { accepted, rejected } = totals;
    if (accepted + rejected === told) return;
    told = accepted + rejected;
    tell('info', 'moved', { accepted, rejected, behindMs: Math.round(ageMs) }, () => {
      const refused = rejected === 0 ? '' : `, ${formatCount(rejected)} set aside`;
      return `${formatCount(accepted)} messages moved${refused}; the oldest of the last request had waited ${Math.round(ageMs)} ms`;
    });
  };
  // It also keeps the process up while it waits for a database.
  const timer = setInterval(progress, progressEveryMs);
  return {
    totals,
    working: ({ left }) =>
      tell('info', 'working', { left }, () => `this drainer works; ${left} requests were left to it`),
    standingBy: () => tell('info', 'standing by', {}, () => 'another drainer works; this one stands by'),
    moved(event) {
      totals.accepted += event.accepted;
      totals.rejected += event.rejected;
      ageMs = event.ageMs;
    },
    setAside: (event) =>
      tell('error', 'set aside', { ...event }, () => {
        const { messages, firstId, code, detail } = event;
        return `${formatCount(messages)} messages, the first of them ${firstId}, are set aside (${code}): ${detail}`;
      }),
    databaseAway: ({ error, waitMs }) =>
      tell('warn', 'database away', again(error, waitMs), () => inWords(error)),
    millraceAway: ({ error, waitMs }) =>
      tell('warn', 'millrace away', again(error, waitMs), () => `Millrace: ${inWords(error)}`),
    stop() {
      clearInterval(timer);
      progress();
    },
  };
}

type Level = 'info' | 'warn' | 'error';
type Tell = (level: Level, msg: string, fields: Record<string, unknown>, words: () => string) => void;

function jsonLines({ terminal }: CommandContext): Tell {
  return (level, msg, fields) =>
    void terminal.out.write(
      `${JSON.stringify({ level, time: new Date().toISOString(), pid: process.pid, msg, ...fields })}\n`,
    );
}

function words(context: CommandContext): Tell {
  return (level, _msg, _fields, say) => (level === 'info' ? printNote : printWarning)(context, say());
}

function again(error: Error, waitMs: number): { error: string; retryInMs: number } {
  return { error: error.message, retryInMs: Math.round(waitMs) };
}

function inWords({ message }: Error): string {
  return `${message}; it is tried again`;
}
