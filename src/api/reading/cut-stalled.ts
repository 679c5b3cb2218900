/**
 * The same parts, for a reader who takes each of them in time: for one who does not, `cut` is called. A stream that nobody
 * reads would hold its place among those that run, and its part in memory, for as long as the client likes.
 */
export async function* cutStalled<Part>(
  parts: AsyncIterable<Part>,
  { partMs, cut }: { partMs: number; cut: () => void },
): AsyncGenerator<Part> {
  for await (const part of parts) {
    const timer = setTimeout(cut, partMs);
    try {
      yield part;
    } finally {
      clearTimeout(timer);
    }
  }
}
