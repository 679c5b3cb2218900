/** An average follows the answers of this long a time; the usual latency those of a minute. */
const recentMs = 1_000;
const usualMs = 60_000;
/** Latency has risen when it is this many times the usual one, and by this much: less is the load of this machine. */
const risenFactor = 2;
const risenByMs = 100;
/** Answers that are looked at before anything is said. */
const answersMin = 20;

interface Averages {
  recent: number;
  usual: number;
  atMs: number;
  answers: number;
}

/** Notices that a provider has become slower than it was a while ago, for requests of like size. */
export class LatencyWatch {
  /** By the binary logarithm of a request's messages: a large one takes longer, and that is no news. */
  readonly #bySize: (Averages | undefined)[] = [];

  /** Takes in a good answer; true while latency has risen. */
  note(answer: { messages: number; latencyMs: number; nowMs: number }): boolean {
    const { messages, latencyMs, nowMs } = answer;
    const size = 31 - Math.clz32(messages);
    const averages = this.#bySize[size];
    if (averages === undefined) {
      this.#bySize[size] = { recent: latencyMs, usual: latencyMs, atMs: nowMs, answers: 1 };
      return false;
    }
    const passedMs = nowMs - averages.atMs;
    averages.atMs = nowMs;
    averages.answers++;
    averages.recent += (latencyMs - averages.recent) * weightOf(passedMs / recentMs, averages.answers);
    averages.usual += (latencyMs - averages.usual) * weightOf(passedMs / usualMs, averages.answers);
    const { recent, usual, answers } = averages;
    return answers >= answersMin && recent > risenFactor * usual && recent - usual > risenByMs;
  }
}

/** What a value weighs in a fading average: in one of few answers its part, and never so much that one speaks for all. */
function weightOf(fadingTimes: number, answers: number): number {
  const fading = Math.min(1 - Math.exp(-fadingTimes), 1 / answersMin);
  return Math.max(fading, answers < answersMin ? 1 / answers : 0);
}
