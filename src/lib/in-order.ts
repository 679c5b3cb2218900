/**
 * Runs work on items beside each other, `aheadMax` at most, and gives the results in the items' order. When
 * one fails, its error comes in its turn. A consumer that stops early leaves at most `aheadMax` works to end.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  settings: { work: (item: Item) => Promise<Result>; aheadMax: number },
): AsyncGenerator<Result> {
  const ahead: Promise<Result>[] = [];
  for await (const item of items) {
    const result = settings.work(item);
    // It is awaited below, or not at all when one before it fails.
    result.catch(() => {});
    ahead.push(result);
    if (ahead.length >= settings.aheadMax) yield await ahead.shift()!;
  }
  for (const result of ahead) yield await result;
}
