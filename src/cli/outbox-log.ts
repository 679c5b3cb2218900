import type { DrainerLog } from '../outbox/drainer.ts';
import type { CommandContext } from './command-context.ts';
import { formatAmount, formatCount, formatDuration } from './format.ts';
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
  let toldAccepted = 0;
  let ageMs = 0;
  const progress = () => {
    const accepted = totals.accepted - toldAccepted;
    if (accepted === 0) return;
    toldAccepted = totals.accepted;
    const behindMs = Math.round(ageMs);
    tell('info', 'moved', { accepted, behindMs, totals: { ...totals } }, () => {
      const all = formatCount(totals.accepted);
      return `${formatAmount(accepted, 'message')} moved (${all} since the start); the oldest of the last request had waited ${formatDuration(behindMs)}`;
    });
  };
  // It also keeps the process up while it waits for a database.
  const timer = setInterval(progress, progressEveryMs);
  return {
    totals,
    working: ({ left }) =>
      tell(
        'info',
        'working',
        { left },
        () =>
          `this drainer works; ${formatAmount(left, 'request')} ${left === 1 ? 'was' : 'were'} left to it`,
      ),
    standingBy: () => tell('info', 'standing by', {}, () => 'another drainer works; this one stands by'),
    moved(event) {
      totals.accepted += event.accepted;
      ageMs = event.ageMs;
    },
    setAside(event) {
      totals.rejected += event.messages;
      tell('error', 'set aside', { ...event }, () => {
        const { messages, firstId, code, detail } = event;
        const which =
          messages === 1
            ? `message ${firstId} is`
            : `${formatCount(messages)} messages, the first of them ${firstId}, are`;
        return `${which} set aside (${code}): ${detail}`;
      });
    },
    heldBack({ code, detail, messages, waitMs }) {
      const fields = { code, detail, messages, retryInMs: Math.round(waitMs) };
      tell('warn', 'held back', fields, () => {
        const wait = formatAmount(messages, 'message');
        return `${wait} and all behind wait (${code}): ${detail} It is tried again in ${formatDuration(waitMs)}`;
      });
    },
    databaseAway: ({ error, waitMs }) =>
      tell('warn', 'database away', again(error, waitMs), () => inWords(error, waitMs)),
    millraceAway: ({ error, waitMs }) =>
      tell('warn', 'millrace away', again(error, waitMs), () => `Millrace: ${inWords(error, waitMs)}`),
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

function inWords({ message }: Error, waitMs: number): string {
  return `${message}; it is tried again in ${formatDuration(waitMs)}`;
}
